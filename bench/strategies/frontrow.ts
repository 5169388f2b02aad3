import type { App } from '../../src/app.js';
import { Refusal } from '../../src/domain/refusals.js';
import { idOf } from '../support/ids.js';
import type { Strategy } from './strategy.js';

/** The gate turns away who comes second, one writer commits the others together. */
export const frontrow = (app: App): Strategy => ({
  async buy({ buyer, date, seat }) {
    const viewer = { userId: idOf('user', buyer), role: 'USER' as const, sessionId: idOf('session', buyer), tokenExpiresAt: new Date(Date.now() + 3_600_000) };
    try {
      await app.services.reservations.reserve(viewer, { scheduleId: idOf('schedule', date), seatNumbers: [seat] });
      return 'HELD';
    } catch (error) {
      if (error instanceof Refusal) return 'REFUSED';
      throw error;
    }
  },
  close: () => Promise.resolve(),
});

/** How many connections of the pool were ever in use at once since the last reading. */
export async function poolMeter(app: App): Promise<() => number> {
  const pool = (await app.orm.em.getConnection().getNativeClient()) as unknown as { on(event: 'acquire' | 'release', listener: () => void): void };
  let [held, most] = [0, 0];
  pool.on('acquire', () => (most = Math.max(most, (held += 1))));
  pool.on('release', () => (held -= 1));
  return () => {
    const read = most;
    most = held;
    return read;
  };
}
