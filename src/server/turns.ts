/** Operations that are begun in one turn of the process: as many as share a call to Redis. */
export const BEGUN_PER_TURN_MAX = 64;

/**
 * Begins work in the order in which it came, and of a crowd that comes at once only so much in one turn of the process: the first are answered while the last still wait, and what has
 * been begun and is not done yet stays small, however large the crowd is. What waits must hold as little as it can: the collector copies what it finds. Without a crowd nobody waits.
 */
export class Turns {
  #waiting: (() => void)[] = [];
  #begun = 0;

  /** `begin` must not throw. */
  take(begin: () => void): void {
    if (this.#begun === BEGUN_PER_TURN_MAX) return void this.#waiting.push(begin);
    if (this.#begun === 0) setImmediate(() => this.#next());
    this.#begun += 1;
    begin();
  }

  /** Who comes from now on stands behind those who wait. */
  #next(): void {
    const now = this.#waiting.splice(0, BEGUN_PER_TURN_MAX);
    this.#begun = now.length;
    if (now.length > 0) setImmediate(() => this.#next());
    for (const begin of now) begin();
  }
}
