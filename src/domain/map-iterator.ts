/** What an event is turned into that is not passed on. */
export const SKIPPED = Symbol('skipped');

/**
 * The same events, each turned into something else or skipped; one that cannot be turned ends the source. Not an async generator: its `return` would wait
 * in line behind a `next` that waits for an event which may never come, and the subscription of a closed socket would stay.
 */
export function mapIterator<Event, Result>(source: AsyncIterable<Event>, work: (event: Event) => Result | typeof SKIPPED | Promise<Result | typeof SKIPPED>): AsyncIterableIterator<Result> {
  const events = source[Symbol.asyncIterator]();
  const over = { done: true as const, value: undefined };
  let ended = false;
  let finishPending: (() => void) | undefined;
  const end = (): void => {
    ended = true;
    void (async () => events.return?.())().catch(() => undefined);
  };
  const pull = async (): Promise<IteratorResult<Result, undefined>> => {
    try {
      for (;;) {
        const event = await events.next();
        if (event.done || ended) return over;
        const value = await work(event.value);
        if (value !== SKIPPED) return { done: false, value };
      }
    } catch (error) {
      end();
      throw error;
    }
  };
  return {
    next: () =>
      ended
        ? Promise.resolve(over)
        : new Promise((resolve, reject) => {
            finishPending = () => resolve(over);
            pull().then(resolve, reject);
          }),
    return: () => {
      finishPending?.();
      end();
      return Promise.resolve(over);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
