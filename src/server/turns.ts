/** Operations that are begun in one turn of the process: as many as share a call to Redis. */
export const BEGUN_PER_TURN_MAX = 64;
/** Who comes while so many wait is turned away: each keeps its request and its connection in memory. */
export const IN_LINE_MAX = 10_000;

/** Answers whether there was anything to begin: who has gone, or has waited too long, takes up no room. Must not throw. */
type Begin = () => boolean;

/**
 * Begins work in the order in which it came, and of a crowd that comes at once only so much in one turn of the process: the first are answered while the last still wait, and what has
 * been begun and is not done yet stays small, however large the crowd is. What waits must hold as little as it can: the collector copies what it finds. Without a crowd nobody waits.
 */
export class Turns {
  readonly #waiting: Begin[] = [];
  #begun = 0;

  /** False where too many wait already. */
  take(begin: Begin): boolean {
    if (this.#begun === BEGUN_PER_TURN_MAX) return this.#waiting.length < IN_LINE_MAX && this.#waiting.push(begin) > 0;
    if (this.#begun === 0) setImmediate(() => this.#next());
    this.#begun += 1;
    begin();
    return true;
  }

  /** Who comes from now on stands behind those who wait. */
  #next(): void {
    let [at, begun] = [0, 0];
    for (; at < this.#waiting.length && begun < BEGUN_PER_TURN_MAX; at += 1) if (this.#waiting[at]!()) begun += 1;
    this.#waiting.splice(0, at);
    this.#begun = begun;
    if (begun > 0) setImmediate(() => this.#next());
  }
}
