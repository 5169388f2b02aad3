import type { EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../database/clock.js';

/**
 * The database's clock, told between two looks at it by the steps of this process's steady clock; never ahead of it, and behind by no more than the answer
 * of a look was on its way. A look that contradicts what was known counts: clocks are set.
 */
export class DatabaseClock {
  #offset: number | null = null;

  async look(em: EntityManager): Promise<void> {
    const asked = performance.now();
    const now = (await databaseNow(em)).getTime();
    const told = performance.now();
    const [least, most] = [now - told, now + 1 - asked];
    if (this.#offset === null || this.#offset < least || this.#offset > most) this.#offset = least;
  }

  get isKnown(): boolean {
    return this.#offset !== null;
  }

  /** Ms; only after a look. */
  now(): number {
    return performance.now() + this.#offset!;
  }

  /** An instant of the database's clock, by `performance.now()`. */
  local(at: number): number {
    return at - (this.#offset ?? 0);
  }
}
