import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';

export interface Credentials {
  accessToken?: string;
  queueToken?: string;
}

export interface Answer<Data> {
  status: number;
  data?: Data | null;
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string; field?: string; retryAfterSeconds?: number; requestId?: string } }[];
}

/** The first error's code, for tests of what is refused. */
export const codeOf = (answer: Answer<unknown>): string | undefined => answer.errors?.[0]?.extensions.code;

export type GraphqlClient = ReturnType<typeof graphqlClient>;

export const headersOf = ({ accessToken, queueToken }: Credentials): Record<string, string> => ({
  ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
  ...(queueToken ? { 'x-queue-token': queueToken } : {}),
});

/** A SPA's view of one instance: HTTP for queries and mutations. */
export function graphqlClient(url: string) {
  async function send<Data>(query: string, variables: unknown, credentials: Credentials = {}): Promise<Answer<Data>> {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headersOf(credentials) },
      body: JSON.stringify({ query, variables }),
    });
    return { status: response.status, ...((await response.json()) as Omit<Answer<Data>, 'status'>) };
  }
  return {
    url,
    /** Any text, for what a typed document cannot say. */
    raw: send<any>,
    /** A typed operation of test/graphql. */
    run: <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables, credentials?: Credentials) =>
      send<Data>(print(document), variables, credentials),
  };
}

/** The real graphql-ws client. */
export function websocketClient(url: string, credentials: Credentials = {}, options: Partial<Parameters<typeof createClient>[0]> = {}): Client {
  return createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: {
      ...(credentials.accessToken ? { authorization: `Bearer ${credentials.accessToken}` } : {}),
      ...(credentials.queueToken ? { queueToken: credentials.queueToken } : {}),
    },
    ...options,
  });
}
