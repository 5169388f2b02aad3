import { createSourceEventStream, execute, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Loaders } from '../database/loaders.js';
import type { Context } from '../context.js';
import { mapIterator } from '../domain/map-iterator.js';

/**
 * Runs a subscription. Every event is answered with loaders of its own: with those of the start, a reader would be told for hours what a row was
 * when they first asked.
 */
export async function subscribe(args: ExecutionArgs, createLoaders: () => Loaders): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await sourceOf(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const context = args.contextValue as Context;
  return mapIterator(source, (event) => execute({ ...args, rootValue: event, contextValue: { ...context, loaders: createLoaders() } }));
}

async function sourceOf(args: ExecutionArgs): Promise<AsyncIterable<unknown> | ExecutionResult> {
  try {
    return await createSourceEventStream(args);
  } catch (error) {
    return { errors: [new GraphQLError('The subscription did not start.', { originalError: error as Error })] };
  }
}
