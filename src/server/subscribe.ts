import { createSourceEventStream, execute, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Loaders } from '../database/loaders.js';
import type { Context } from '../context.js';
import { byDeadline, withDeadline } from '../domain/deadline.js';
import { mapIterator } from '../domain/map-iterator.js';
import { GIVEN_UP_AFTER_MS } from './limits.js';
import { currentScope, leftOf } from './request-scope.js';

/**
 * Runs a subscription, which starts in time or not at all. Every event is answered with loaders of its own: with those of the start, a reader would
 * be told for hours what a row was when they first asked.
 */
export async function subscribe(args: ExecutionArgs, createLoaders: () => Loaders): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await sourceOf(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const context = args.contextValue as Context;
  return mapIterator(source, (event) => withDeadline(GIVEN_UP_AFTER_MS, () => execute({ ...args, rootValue: event, contextValue: { ...context, loaders: createLoaders() } })));
}

async function sourceOf(args: ExecutionArgs): Promise<AsyncIterable<unknown> | ExecutionResult> {
  const starting = Promise.resolve(createSourceEventStream(args));
  try {
    return await byDeadline(starting, leftOf(currentScope()!));
  } catch (error) {
    void starting.then(end, () => undefined);
    return { errors: [new GraphQLError('The subscription did not start.', { originalError: error as Error })] };
  }
}

/** One that came when nobody waited for it any more. */
async function end(source: AsyncIterable<unknown> | ExecutionResult): Promise<void> {
  if (Symbol.asyncIterator in source) await source[Symbol.asyncIterator]().return?.();
}
