/** What an event is turned into that is not passed on. */
export const SKIPPED = Symbol('skipped');

type Work<Event, Result> = (event: Event) => Result | typeof SKIPPED | Promise<Result | typeof SKIPPED>;

const OVER = { done: true, value: undefined } as const;

/**
 * The same events, each turned into something else or skipped; one that cannot be turned ends the source. Not an async generator: its `return` would wait
 * in line behind a `next` that waits for an event which may never come, and the subscription of a closed socket would stay.
 */
export const mapIterator = <Event, Result>(source: AsyncIterable<Event>, work: Work<Event, Result>): AsyncIterableIterator<Result> => new Mapped(source[Symbol.asyncIterator](), work);

/** There are as many as subscriptions: each keeps little. */
class Mapped<Event, Result> implements AsyncIterableIterator<Result> {
  #isOver = false;
  #finishPending: ((over: typeof OVER) => void) | undefined;

  constructor(
    private readonly events: AsyncIterator<Event>,
    private readonly work: Work<Event, Result>,
  ) {}

  next(): Promise<IteratorResult<Result>> {
    if (this.#isOver) return Promise.resolve(OVER);
    return new Promise((resolve, reject) => {
      this.#finishPending = resolve;
      this.#pull().then(resolve, reject);
    });
  }

  return(): Promise<IteratorResult<Result>> {
    this.#finishPending?.(OVER);
    this.#end();
    return Promise.resolve(OVER);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #pull(): Promise<IteratorResult<Result>> {
    try {
      for (;;) {
        const event = await this.events.next();
        if (event.done || this.#isOver) return OVER;
        const value = await this.work(event.value);
        if (value !== SKIPPED) return { done: false, value };
      }
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #end(): void {
    this.#isOver = true;
    void (async () => this.events.return?.())().catch(() => undefined);
  }
}
