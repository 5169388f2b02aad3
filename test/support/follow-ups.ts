import type { EntityManager } from '@mikro-orm/mysql';
import type { App } from '../../src/app.js';
import type { BriefTransaction } from '../../src/database/brief-transaction.js';
import { Transactions } from '../../src/database/transaction.js';
import { SeatGate } from '../../src/redis/seat-gate.js';
import { ToldSeats } from '../../src/redis/told-seats.js';
import { FollowUps } from '../../src/services/follow-ups.js';

/** What the relay of this app does for the change that an event tells of. */
export const followUpsOf = ({ redis, redisRun, pubsub, board, metrics }: App): FollowUps => new FollowUps(new SeatGate(redis, redisRun), pubsub, board, new ToldSeats(redis), metrics);

/** A process that dies right after its commit: nothing that follows in it ever happens. `dead` resolves when it has committed. */
export class DyingTransactions extends Transactions {
  readonly #dead = Promise.withResolvers<void>();
  readonly dead = this.#dead.promise;

  constructor({ orm }: App) {
    super(orm, () => undefined);
  }

  override run<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    return this.#diesAfter(super.run(work));
  }

  override runBriefly<T>(work: (transaction: BriefTransaction) => Promise<T>): Promise<T> {
    return this.#diesAfter(super.runBriefly(work));
  }

  async #diesAfter(committed: Promise<unknown>): Promise<never> {
    await committed;
    this.#dead.resolve();
    return new Promise(() => undefined);
  }
}
