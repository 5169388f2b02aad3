import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { v4 as uuid } from 'uuid';
import type { Remembered } from '../domain/queue-recovery.js';
import { ENDED_KEPT_MS, type Place } from '../domain/queue.js';
import { keys } from './keys.js';
import { activePlacesOf } from './queue-store.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';

/** The steps that make a queue usable again which this run of the Redis server does not know: by one process at a time, over from the start when it dies. */

/** A process that is silent for longer has lost its claim. */
const CLAIM_MS = 3000;
const BUSY_POLL_MS = 50;
const BUSY_POLLS_MAX = 200;

/** A queue that is being recovered; each step tells whether it is still this process that does it. */
export interface Claim {
  id: string;
  run: string;
  /** What the state in Redis says of its past; null where there is none. */
  beat: number | null;
  tickAtMs: number | null;
  /** Whether Redis still knows anybody. */
  hasUsers: boolean;
}

export interface RestoredPlace extends Place {
  status: Exclude<Remembered, 'WAITING'>;
  remainingMs: number;
}

const claimScript = new Script<['READY'] | ['BUSY', number] | ['CLAIMED', string, string, number]>('queue-claim');
const restoreScript = new Script<0 | 1>('queue-restore');
const finishScript = new Script<string>('queue-finish');

export class QueueRecoveryStore {
  constructor(
    private readonly redis: Redis,
    private readonly serverRun: ServerRun,
  ) {}

  /** Null when there is nothing to recover, any more: waits for another process that is at it. */
  async claim(concertId: string): Promise<Claim | 'BUSY' | null> {
    const names = [keys.queueState(concertId), keys.queueWaiting(concertId), keys.queueActive(concertId)];
    const id = uuid();
    for (let poll = 0; poll < BUSY_POLLS_MAX; poll += 1) {
      const run = await this.serverRun.current();
      const [reply, beat, tickAt, users] = await claimScript.run(this.redis, names, [run, id, CLAIM_MS]);
      if (reply === 'READY') return null;
      if (reply === 'CLAIMED') return { id, run, beat: knownOf(beat), tickAtMs: knownOf(tickAt), hasUsers: users! > 0 };
      await delay(BUSY_POLL_MS);
    }
    return 'BUSY';
  }

  /** False when the claim was lost. */
  async restore(concertId: string, claim: Claim, places: readonly RestoredPlace[]): Promise<boolean> {
    const names = [
      keys.queueWaiting(concertId), keys.queueActive(concertId), keys.queueSeen(concertId), keys.queuePlaces(concertId), keys.queueAttempts(concertId),
      keys.queueState(concertId), keys.queueEvents(concertId), ...places.map(({ userId }) => keys.queueEnded(concertId, userId)),
    ];
    const args = places.flatMap(({ userId, place, status, remainingMs }) => [userId, place, status, remainingMs]);
    return (await restoreScript.run(this.redis, names, [claim.id, CLAIM_MS, ENDED_KEPT_MS, ...args])) === 1;
  }

  /** The time until which nobody is admitted, 0 without a pause; null when the claim was lost. */
  async finish(concertId: string, claim: Claim, epoch: number, beat: number, pauseMs: number): Promise<number | null> {
    const until = Number(await finishScript.run(this.redis, [keys.queueState(concertId), keys.queueMoves(concertId)], [claim.id, claim.run, epoch, beat, pauseMs]));
    return until < 0 ? null : until;
  }

  async lookAfter(concertId: string): Promise<void> {
    await this.redis.sadd(keys.queues(), concertId);
  }

  /** The places that are ACTIVE as far as Redis knows, in parts. */
  activePlaces(concertId: string): AsyncIterable<Place[]> {
    return activePlacesOf(this.redis, concertId);
  }
}

const knownOf = (reply: string | number | undefined): number | null => (reply === undefined || reply === '-1' ? null : Number(reply));
