import { createSourceEventStream, execute, GraphQLError, type ExecutionArgs, type ExecutionResult } from 'graphql';
import type { Loaders } from '../database/loaders.js';
import type { Context } from '../context.js';
import { byDeadline, withDeadline } from '../domain/deadline.js';
import { mapIterator, SKIPPED } from '../domain/map-iterator.js';
import { Outlet, UNFIT } from '../domain/outlet.js';
import { GIVEN_UP_AFTER_MS } from './limits.js';
import type { PreparedEvents } from './prepared-events.js';
import { currentScope, leftOf } from './request-scope.js';

export interface SubscriptionArgs extends ExecutionArgs {
  /** Null where every event takes execution. */
  events: PreparedEvents | null;
  /** Writes a payload to the subscriber; the promise of one who reads slowly. */
  deliver(payload: string): Promise<void> | undefined;
}

/**
 * Runs a subscription, which starts in time or not at all. An event whose text is known without execution is delivered here. Every other is answered with loaders
 * of its own: with those of the start, a reader would be told for hours what a row was when they first asked. The next event is taken when this one was, so
 * that a slow reader costs no memory.
 */
export async function subscribe(args: SubscriptionArgs, createLoaders: () => Loaders): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const source = await sourceOf(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const { events, deliver } = args;
  if (events && source instanceof Outlet) {
    source.deliverTo((event: unknown) => {
      const payload = events(event);
      return payload === null ? UNFIT : deliver(payload);
    });
  }
  const executed = (event: unknown): ExecutionResult | Promise<ExecutionResult> =>
    withDeadline(GIVEN_UP_AFTER_MS, () => execute({ ...args, rootValue: event, contextValue: { ...(args.contextValue as Context), loaders: createLoaders() } }));
  return mapIterator(source, (event) => {
    const payload = events?.(event) ?? null;
    if (payload === null) return executed(event);
    return deliver(payload)?.then(() => SKIPPED) ?? SKIPPED;
  });
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
