import { availableSeatsOf, nextEndsOf } from '../database/repositories/seat.repository.js';
import type { LastKnown } from '../database/last-known.js';
import type { Transactions } from '../database/transaction.js';
import { withDeadline } from '../domain/deadline.js';
import type { ReadSet, ReadSource } from '../domain/read-set.js';
import type { DatabaseClock } from './database-clock.js';
import { jittered } from './jitter.js';

/** How many seats are left of dates of which nobody here has asked for the seats: one number each, until something is told of the date. */

/** So old a number is counted anew. */
export const COUNT_KEPT_MS = 8000;
/** Those that are remembered; the longest unread go first. */
const COUNTS_MAX = 20_000;
const COUNT_PATIENCE_MS = 4000;

class Count implements ReadSource {
  version = 0;

  constructor(
    readonly value: number,
    /** By `performance.now()`: old then, or changed by time alone. */
    readonly until: number,
  ) {}
}

/** Of a number that was forgotten before it was told: whoever keeps the answer is to ask again. */
const UNKEPT = new Count(0, -Infinity);

export class SeatCounts {
  readonly #counts = new Map<string, Count>();
  readonly #restless = new Set<string>();
  readonly #counting = new Map<string, Promise<Count>>();

  constructor(
    private readonly transactions: Transactions,
    private readonly clock: DatabaseClock,
    private readonly lastKnown: LastKnown,
  ) {}

  async of(scheduleIds: readonly string[], isHeard: boolean, reads?: ReadSet): Promise<number[]> {
    // One instant for all: what is fresh at the first look is at the last.
    const now = performance.now();
    const missing = scheduleIds.some((id) => !this.#fresh(id, now) && !this.#counting.has(id));
    // Those that are old soon are counted along, so that an answer of many numbers is not out of date with each of them in turn.
    if (missing) this.#count(scheduleIds.filter((id) => !this.#fresh(id, now + COUNT_KEPT_MS / 2) && !this.#counting.has(id)), isHeard);
    return Promise.all(
      scheduleIds.map(async (id) => {
        const count = this.#fresh(id, now) ?? (await this.#counting.get(id)!);
        // Another may be known by now: this answer has the one that it was given.
        const known = this.#counts.get(id) === count ? count : UNKEPT;
        reads?.depend(known, known.until);
        return count.value;
      }),
    );
  }

  /** True for a date that was counted and has changed since: its seats are sold now, and counting them with each change would cost more than knowing them all. */
  isRestless(scheduleId: string): boolean {
    return this.#restless.has(scheduleId);
  }

  /** All its seats are known soon. */
  calm(scheduleId: string): void {
    this.#restless.delete(scheduleId);
  }

  /** Something was told of the date. */
  change(scheduleId: string): void {
    if (this.#counts.has(scheduleId) && this.#restless.size < COUNTS_MAX) this.#restless.add(scheduleId);
    this.forget(scheduleId);
  }

  forget(scheduleId: string): void {
    const known = this.#counts.get(scheduleId);
    if (known) known.version += 1;
    this.#counts.delete(scheduleId);
    this.#counting.delete(scheduleId);
  }

  forgetAll(): void {
    for (const id of [...this.#counts.keys(), ...this.#counting.keys()]) this.forget(id);
  }

  #fresh(id: string, at: number): Count | undefined {
    const known = this.#counts.get(id);
    return known && at < known.until ? known : undefined;
  }

  #count(ids: readonly string[], isHeard: boolean): void {
    const counting = withDeadline(COUNT_PATIENCE_MS, () => this.#read(ids));
    ids.forEach((id, index) => {
      const one = counting.then((found) => {
        const { value, until } = found[index]!;
        const count = new Count(value, until);
        // Forgotten meanwhile: good for who has waited, and for nobody after.
        if (isHeard && this.#counting.get(id) === one) this.#keep(id, count);
        return count;
      });
      this.#counting.set(id, one);
      one.catch(() => undefined).finally(() => {
        if (this.#counting.get(id) === one) this.#counting.delete(id);
      });
    });
  }

  async #read(ids: readonly string[]): Promise<{ value: number; until: number }[]> {
    let isRecalled = false;
    const found = await this.lastKnown.each(
      ids.map((id) => `available:${id}`),
      async () => {
        const em = this.transactions.fork();
        if (!this.clock.isKnown) await this.clock.look(em);
        const [counts, ends] = [await availableSeatsOf(em, [...ids]), await nextEndsOf(em, ids)];
        return ids.map((id) => ({ value: counts.get(id) ?? 0, ends: ends.get(id) ?? Infinity }));
      },
      () => (isRecalled = true),
    );
    const due = isRecalled ? -Infinity : performance.now() + jittered(COUNT_KEPT_MS);
    return found.map((count) => {
      if (count instanceof Error) throw count;
      return { value: count.value, until: Math.min(due, this.clock.local(count.ends)) };
    });
  }

  #keep(id: string, count: Count): void {
    this.#counts.delete(id);
    this.#counts.set(id, count);
    if (this.#counts.size > COUNTS_MAX) this.forget(this.#counts.keys().next().value!);
  }
}
