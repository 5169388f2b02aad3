import type { App } from '../../src/app.js';
import type { Viewer } from '../../src/domain/viewer.js';
import { idOf } from '../support/ids.js';
import type { Act, Burst } from '../support/burst.js';

/** Frontrow's own services, as its resolvers call them. */
export class FrontrowWriter {
  readonly #reserved = new Map<string, string>();

  constructor(private readonly app: App) {}

  async prepare(act: Act, { concert, count }: Burst): Promise<(index: number) => Promise<void>> {
    const viewers = Array.from({ length: count }, (_, index) => viewerOf(index + 1));
    const { reservations, payments, wallets } = this.app.services;
    const seatOf = (index: number): string => `${concert} ${index}`;
    switch (act) {
      case 'reserve':
        return async (index) => {
          const { id } = await reservations.reserve(viewers[index]!, { scheduleId: idOf('schedule', concert), seatNumbers: [index + 1] });
          this.#reserved.set(seatOf(index), id);
        };
      case 'pay': {
        const tokens = await this.#queueTokens(concert, count);
        // Who pays has shown the same token when reserving, where it was checked.
        for (const token of tokens) this.app.tokens.verifyQueue(token);
        // Of passes that are only rows a Redis knows nothing until somebody asks; bringing a queue back once is no part of its payments.
        await this.app.services.queue.position(viewers[0]!, idOf('concert', concert), tokens[0]!);
        return async (index) => void (await payments.pay(viewers[index]!, tokens[index]!, this.#reserved.get(seatOf(index))!));
      }
      case 'charge':
        return async (index) => void (await wallets.charge(viewers[index]!, { amount: 1000, idempotencyKey: `frontrow ${concert}` }));
    }
  }

  #queueTokens(concert: number, count: number): Promise<string[]> {
    const now = new Date();
    return Promise.all(Array.from({ length: count }, (_, index) => this.app.tokens.signQueue({ concertId: idOf('concert', concert), userId: idOf('user', index + 1), place: index + 1 }, now)));
  }
}

const HOUR_MS = 3_600_000;
const viewerOf = (n: number): Viewer => ({ userId: idOf('user', n), role: 'USER', sessionId: idOf('session', n), tokenExpiresAt: new Date(Date.now() + HOUR_MS) });
