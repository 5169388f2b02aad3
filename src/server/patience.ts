/** One who waits, between those who came before and after. */
interface Waiter {
  readonly until: number;
  readonly tooLate: () => void;
  before: Waiter | null;
  after: Waiter | null;
}

/** What is to be done for who has waited too long. All wait equally long, so one timer does for all of them: a timer for each request costs more than what it watches over. */
export class Patience {
  #first: Waiter | null = null;
  #last: Waiter | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly ms: number) {}

  /** Answers what `end` takes. */
  start(tooLate: () => void): Waiter {
    const waiter: Waiter = { until: performance.now() + this.ms, tooLate, before: this.#last, after: null };
    if (this.#last) this.#last.after = waiter;
    else this.#first = waiter;
    this.#last = waiter;
    this.#timer ??= setTimeout(() => this.#look(), this.ms).unref();
    return waiter;
  }

  /** Once, for who has not waited too long. What is left of it must keep nothing else in memory. */
  end(waiter: Waiter): void {
    const { before, after } = waiter;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
    waiter.before = waiter.after = null;
  }

  #look(): void {
    const now = performance.now();
    try {
      for (let waiter = this.#first; waiter && waiter.until <= now; waiter = this.#first) {
        this.end(waiter);
        waiter.tooLate();
      }
    } finally {
      // Also where one of them failed: those behind it are watched over still.
      this.#timer = this.#first && setTimeout(() => this.#look(), Math.max(0, Math.ceil(this.#first.until - now))).unref();
    }
  }
}
