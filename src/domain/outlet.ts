/** What a sink says of an event that it leaves to `next`. */
export const UNFIT = Symbol('unfit');

/** Takes an event at once; the promise of one that must be through before the next. */
export type Sink<Event> = (event: Event) => Promise<void> | typeof UNFIT | undefined;

/**
 * The end of a subscription that its owner puts events into: what was not taken yet, as one event, and the end. With a sink, events go straight into it for as long
 * as somebody waits in `next`, which is given only what the sink leaves and the end: thousands of promises would cost more than what is done with the events. One
 * taker at a time, as of a subscription.
 */
export abstract class Outlet<Event> implements AsyncIterableIterator<Event> {
  #sink: Sink<Event> | null = null;
  #resolve: ((result: IteratorResult<Event>) => void) | null = null;
  #reject: ((error: unknown) => void) | null = null;
  #isBusy = false;
  #over: { error?: unknown } | null = null;

  /** What was not taken yet, for the last time; null if nothing. */
  protected abstract take(): Event | null;
  /** Nobody takes anything any more. */
  protected abstract left(): void;

  protected get isOver(): boolean {
    return this.#over !== null;
  }

  deliverTo(sink: Sink<Event>): void {
    this.#sink = sink;
  }

  next(): Promise<IteratorResult<Event>> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.serve();
    });
  }

  return(): Promise<IteratorResult<Event>> {
    this.take();
    this.#isBusy = false;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<Event>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Gives who waits what there is. */
  protected serve(): void {
    while (this.#resolve && !this.#isBusy) {
      const event = this.take();
      if (event === null) return this.#over ? this.#tellEnd(this.#over) : undefined;
      this.#give(event);
    }
  }

  /** What was put in before is given first, then the error, if there is one, and then the end. */
  protected end(error?: unknown): void {
    if (this.#over) return;
    this.#over = { error };
    this.serve();
    this.left();
  }

  #give(event: Event): void {
    try {
      const given = this.#sink ? this.#sink(event) : UNFIT;
      if (given === UNFIT) this.#answer((resolve) => resolve({ value: event, done: false }));
      else if (given) this.#waitFor(given);
    } catch (error) {
      this.end(error);
    }
  }

  #waitFor(given: Promise<void>): void {
    this.#isBusy = true;
    const goOn = (): void => {
      this.#isBusy = false;
      this.serve();
    };
    given.then(goOn, (error: unknown) => {
      this.end(error);
      goOn();
    });
  }

  #tellEnd({ error }: { error?: unknown }): void {
    this.#over = {};
    this.#answer((resolve, reject) => (error === undefined ? resolve({ value: undefined, done: true }) : reject(error)));
  }

  #answer(how: (resolve: (result: IteratorResult<Event>) => void, reject: (error: unknown) => void) => void): void {
    const [resolve, reject] = [this.#resolve!, this.#reject!];
    this.#resolve = this.#reject = null;
    how(resolve, reject);
  }
}
