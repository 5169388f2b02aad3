import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print, type GraphQLFormattedError } from 'graphql';
import type { Client } from 'graphql-ws';

/** What a subscription has delivered so far, and a promise for what is still to come. */
export interface Collected<Data> {
  readonly messages: Data[];
  readonly errors: GraphQLFormattedError[];
  /** The first message, past or future, that fits. Rejects when the subscription ends without one. */
  until(fits: (message: Data) => boolean): Promise<Data>;
  /** Resolves when the subscription has completed; rejects when the socket fails. */
  readonly completed: Promise<void>;
  stop(): void;
}

export function collect<Data, Variables extends Record<string, unknown>>(
  client: Client,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Collected<Data> {
  const messages: Data[] = [];
  const errors: GraphQLFormattedError[] = [];
  const waiting = new Set<{ fits: (message: Data) => boolean; resolve: (message: Data) => void; reject: (error: unknown) => void }>();
  const completion = Promise.withResolvers<void>();
  completion.promise.catch(() => undefined);
  const endWaiting = (error: unknown): void => {
    for (const one of waiting) one.reject(error);
    waiting.clear();
  };
  const stop = client.subscribe<Data, Record<string, unknown>>(
    { query: print(document), variables },
    {
      next: (result) => {
        if (result.errors) errors.push(...(result.errors as readonly GraphQLFormattedError[]));
        if (!result.data) return;
        messages.push(result.data);
        for (const one of waiting) {
          if (!one.fits(result.data)) continue;
          waiting.delete(one);
          one.resolve(result.data);
        }
      },
      error: (error) => {
        if (Array.isArray(error)) errors.push(...error);
        endWaiting(error);
        completion.reject(error);
      },
      complete: () => {
        endWaiting(new Error(`The subscription completed first, after ${JSON.stringify(messages)}`));
        completion.resolve();
      },
    },
  );
  return {
    messages,
    errors,
    completed: completion.promise,
    stop,
    until: (fits) => {
      const past = messages.find(fits);
      if (past) return Promise.resolve(past);
      return new Promise((resolve, reject) => waiting.add({ fits, resolve, reject }));
    },
  };
}
