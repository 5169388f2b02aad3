/**
 * The same messages, each turned into something else. Unlike an async generator it passes `return` on at once, so that whoever stops
 * listening is unsubscribed even while no message comes.
 */
export function mapIterator<From, To>(source: AsyncIterator<From>, turn: (message: From) => Promise<To>): AsyncIterableIterator<To> {
  const turned = async (result: IteratorResult<From>): Promise<IteratorResult<To>> =>
    result.done ? { done: true, value: undefined } : { done: false, value: await turn(result.value) };
  return {
    next: async () => turned(await source.next()),
    return: async () => {
      await source.return?.();
      return { done: true, value: undefined };
    },
    throw: async (error) => {
      await source.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
