import type { Redis } from 'ioredis';
import type { Config } from '../config.js';
import type { Transactions } from '../database/transaction.js';
import type { QueuePosition } from '../domain/queue.js';
import type { Counters } from '../domain/counters.js';
import type { Viewer } from '../domain/viewer.js';
import type { PubSub } from '../redis/pubsub.js';
import type { TokenService } from './token.service.js';

export class QueueService {
  constructor(
    readonly transactions: Transactions,
    readonly redis: Redis,
    readonly pubsub: PubSub,
    readonly tokens: TokenService,
    readonly counters: Counters,
    readonly config: Config,
  ) {}

  join(_viewer: Viewer, _concertId: string): Promise<{ token: string; position: QueuePosition }> {
    throw new Error('stub');
  }
  leave(_viewer: Viewer, _concertId: string): Promise<boolean> {
    throw new Error('stub');
  }
  position(_viewer: Viewer, _concertId: string): Promise<QueuePosition | null> {
    throw new Error('stub');
  }
  watch(_viewer: Viewer, _concertId: string): Promise<AsyncIterableIterator<QueuePosition>> {
    throw new Error('stub');
  }
  /** Refuses unless the token proves a place of this user in the queue of the date's concert, and that place is ACTIVE now. */
  requirePass(_viewer: Viewer, _queueToken: string | null, _scheduleId: string, _countsAttempt: boolean): Promise<void> {
    throw new Error('stub');
  }
  /** After a payment was committed: the pass of this place is over (COMPLETED), in Redis and for those who watch. Never fails the caller. */
  complete(_concertId: string, _userId: string, _place: number): Promise<void> {
    throw new Error('stub');
  }
  /** One beat of the admission job, for every queue. */
  tick(): Promise<void> {
    throw new Error('stub');
  }
  /** Waiting, active and admitted in all queues, for /metrics. */
  totals(): Promise<{ waiting: number; active: number }> {
    throw new Error('stub');
  }
}
