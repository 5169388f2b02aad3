import { createSourceEventStream, execute, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Loaders } from '../database/loaders.js';
import type { Context } from '../context.js';

/**
 * Runs a subscription. Every event is answered with loaders of its own: with those of the start, a reader would be told for hours what a row was
 * when they first asked.
 */
export async function subscribe(args: ExecutionArgs, createLoaders: () => Loaders): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await sourceOf(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const context = args.contextValue as Context;
  return mapEvents(source, (event) => execute({ ...args, rootValue: event, contextValue: { ...context, loaders: createLoaders() } }));
}

async function sourceOf(args: ExecutionArgs): Promise<AsyncIterable<unknown> | ExecutionResult> {
  try {
    return await createSourceEventStream(args);
  } catch (error) {
    return { errors: [new GraphQLError('The subscription did not start.', { originalError: error as Error })] };
  }
}

/**
 * Not an async generator: its `return` would wait in line behind a `next` that waits for an event which may never come, and the subscription
 * of a closed socket would stay.
 */
export function mapEvents<Event, Result>(source: AsyncIterable<Event>, work: (event: Event) => Result | Promise<Result>): AsyncIterableIterator<Result> {
  const events = source[Symbol.asyncIterator]();
  const over = { done: true as const, value: undefined };
  let ended = false;
  let finishPending: (() => void) | undefined;
  const end = (): void => {
    ended = true;
    finishPending?.();
    void (async () => events.return?.())().catch(() => undefined);
  };
  const pull = async (): Promise<IteratorResult<Result, undefined>> => {
    const event = await events.next();
    if (event.done || ended) return over;
    try {
      return { done: false, value: await work(event.value) };
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
      end();
      return Promise.resolve(over);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
