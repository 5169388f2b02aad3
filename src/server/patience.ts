/** One who waits, between those who came before and after. */
interface Waiter {
  readonly until: number;
  readonly tooLate: () => void;
  before: Waiter | null;
  after: Waiter | null;
}

/** What is to be done for who has waited too long. All wait equally long from when they came, so one timer does for all of them: a timer for each request costs more than what it watches over. */
export class Patience {
  #first: Waiter | null = null;
  #last: Waiter | null = null;
  #timer: NodeJS.Timeout | undefined;
  #looksAt = Infinity;

  constructor(private readonly ms: number) {}

  /** Answers what `end` takes. `since` is when it came, by performance.now(): who has stood in a line is put before those who came later and had not to. */
  start(tooLate: () => void, since = performance.now()): Waiter {
    const until = since + this.ms;
    let before = this.#last;
    while (before && before.until > until) before = before.before;
    const waiter: Waiter = { until, tooLate, before, after: before ? before.after : this.#first };
    if (before) before.after = waiter;
    else this.#first = waiter;
    if (waiter.after) waiter.after.before = waiter;
    else this.#last = waiter;
    if (until < this.#looksAt) this.#lookAt(until);
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

  #lookAt(until: number): void {
    clearTimeout(this.#timer);
    this.#looksAt = until;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.ceil(until - performance.now()))).unref();
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
      this.#looksAt = Infinity;
      if (this.#first) this.#lookAt(this.#first.until);
    }
  }
}
