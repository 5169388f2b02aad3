import type { Config } from '../config.js';
import type { Reservation } from '../database/entities/reservation.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { Page } from '../domain/cursor.js';
import type { Counters } from '../domain/counters.js';
import type { Viewer } from '../domain/viewer.js';
import type { Jobs } from '../redis/jobs.js';
import type { PubSub } from '../redis/pubsub.js';
import type { SeatGate } from '../redis/seat-gate.js';

export class ReservationService {
  constructor(
    readonly transactions: Transactions,
    readonly gate: SeatGate,
    readonly jobs: Jobs,
    readonly pubsub: PubSub,
    readonly counters: Counters,
    readonly config: Config,
  ) {}

  reserve(_viewer: Viewer, _input: { scheduleId: string; seatNumbers: number[] }): Promise<Reservation> {
    throw new Error('stub');
  }
  cancel(_viewer: Viewer, _id: string): Promise<Reservation> {
    throw new Error('stub');
  }
  find(_viewer: Viewer, _id: string): Promise<Reservation | null> {
    throw new Error('stub');
  }
  pageOfUser(_userId: string, _first: number, _after: string | null): Promise<Page<Reservation>> {
    throw new Error('stub');
  }
  watch(_viewer: Viewer): Promise<AsyncIterableIterator<Reservation>> {
    throw new Error('stub');
  }
  /** The hold-expiry job. Ends the hold if its end has come by the database's clock; otherwise answers how long it still has to run. */
  expire(_id: string): Promise<{ remainingMs: number }> {
    throw new Error('stub');
  }
  /** The sweeper: ends holds whose job was lost. Answers how many. */
  sweep(): Promise<number> {
    throw new Error('stub');
  }
}
