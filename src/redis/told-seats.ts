import type { Redis } from 'ioredis';
import { keys } from './keys.js';

/**
 * Changes of reservations of which a process says that gate and seats have heard, as follows their commit: the relay need not see to that once more. A word
 * that is lost, or comes later than the relay looks, only has it done twice.
 */

/** Words that nobody takes, because no worker runs: the newest stay. */
export const TOLD_SEATS_WORDS_MAX = 1000;
const WORDS_KEPT_MS = 60_000;
const SEPARATOR = ',';

export class ToldSeats {
  constructor(private readonly redis: Redis) {}

  /** Nobody waits for it, and nobody is failed. One word for all that was committed together. */
  note(changes: readonly string[]): void {
    if (changes.length === 0) return;
    const key = keys.toldSeats();
    // No pipeline: to make one costs more than all three, and what is said in one turn goes out in one piece anyway.
    const said = [this.redis.rpush(key, changes.join(SEPARATOR)), this.redis.ltrim(key, -TOLD_SEATS_WORDS_MAX, -1), this.redis.pexpire(key, WORDS_KEPT_MS)];
    void Promise.all(said).catch(() => undefined);
  }

  /** Those that were noted since they were taken last, by whomever. */
  async take(): Promise<string[]> {
    const words = await this.redis.lpop(keys.toldSeats(), TOLD_SEATS_WORDS_MAX);
    return words?.flatMap((word) => word.split(SEPARATOR)) ?? [];
  }
}
