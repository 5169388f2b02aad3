import { setTimeout as delay } from 'node:timers/promises';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print, type GraphQLFormattedError } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { Credentials } from '../../test/support/client.js';
import type { Target } from './client.js';

export interface Message<Data> {
  /** Milliseconds of performance.now(). */
  at: number;
  node: string;
  /** Which connection brought it; 1 is the first. */
  connection: number;
  data: Data;
}

export interface Watched<Data> {
  readonly messages: Message<Data>[];
  readonly errors: GraphQLFormattedError[];
  /** Times at which a connection was acknowledged. */
  readonly connectedAt: number[];
  /** The first message, past or future, that fits; rejects when the subscription ends without it. */
  until(fits: (data: Data) => boolean): Promise<Message<Data>>;
  /** Resolves when the server has completed the subscription; rejects when it ends otherwise. */
  readonly completed: Promise<void>;
  stop(): Promise<void>;
}

export interface Watch<Data, Variables extends Record<string, unknown>> {
  targets: readonly Target[];
  document: TypedDocumentNode<Data, Variables>;
  variables: Variables;
  credentials: Credentials;
}

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1000;
/** A socket that is silent for so long is dead: nothing else tells of a network that swallows everything. */
const PING_EVERY_MS = 2000;
const PONG_WITHIN_MS = 3000;

/** A real graphql-ws socket that comes back, each time at another process, until it is stopped or the server says that it is over. */
export function watch<Data, Variables extends Record<string, unknown>>({ targets, document, variables, credentials }: Watch<Data, Variables>): Watched<Data> {
  const messages: Message<Data>[] = [];
  const errors: GraphQLFormattedError[] = [];
  const connectedAt: number[] = [];
  const waiting = new Set<{ fits: (data: Data) => boolean; resolve: (message: Message<Data>) => void; reject: (error: unknown) => void }>();
  const completion = Promise.withResolvers<void>();
  completion.promise.catch(() => undefined);
  let node = targets[0]!;
  let turn = 0;
  const client = createClient({
    url: () => {
      node = targets[turn++ % targets.length]!;
      return `${node.url.replace('http', 'ws')}/graphql`;
    },
    webSocketImpl: WebSocket,
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: (retries) => delay(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** retries)),
    keepAlive: PING_EVERY_MS,
    connectionParams: {
      ...(credentials.accessToken ? { authorization: `Bearer ${credentials.accessToken}` } : {}),
      ...(credentials.queueToken ? { queueToken: credentials.queueToken } : {}),
    },
    on: onSilence(() => connectedAt.push(performance.now())),
  });
  const endWaiting = (error: unknown): void => {
    for (const one of waiting) one.reject(error);
    waiting.clear();
  };
  client.subscribe<Data, Record<string, unknown>>(
    { query: print(document), variables },
    {
      next: (result) => {
        if (result.errors) errors.push(...(result.errors as readonly GraphQLFormattedError[]));
        if (!result.data) return;
        const message = { at: performance.now(), node: node.name, connection: connectedAt.length, data: result.data };
        messages.push(message);
        for (const one of waiting) {
          if (!one.fits(result.data)) continue;
          waiting.delete(one);
          one.resolve(message);
        }
      },
      error: (error) => {
        if (Array.isArray(error)) errors.push(...error);
        endWaiting(error);
        completion.reject(error);
      },
      complete: () => {
        endWaiting(new Error('The subscription completed first.'));
        completion.resolve();
      },
    },
  );
  return {
    messages,
    errors,
    connectedAt,
    completed: completion.promise,
    until: (fits) => {
      const past = messages.find(({ data }) => fits(data));
      if (past) return Promise.resolve(past);
      return new Promise((resolve, reject) => waiting.add({ fits, resolve, reject }));
    },
    stop: async () => client.dispose(),
  };
}

type Listeners = NonNullable<Parameters<typeof createClient>[0]['on']>;

/** Ends a socket whose ping is not answered. */
function onSilence(connected: () => void): Listeners {
  let socket: WebSocket | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    connected: (opened) => {
      socket = opened as WebSocket;
      connected();
    },
    ping: (received) => {
      if (received) return;
      clearTimeout(timer);
      timer = setTimeout(() => socket?.terminate(), PONG_WITHIN_MS);
    },
    pong: (received) => {
      if (received) clearTimeout(timer);
    },
    closed: () => clearTimeout(timer),
  };
}
