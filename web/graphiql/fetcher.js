import { createGraphiQLFetcher, isAsyncIterable } from '@graphiql/toolkit';
import { parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { fill, fillHeaders, learn } from './memory.ts';

const STORAGE_KEY = 'frontrow:remembered';

/** GraphiQL's own fetcher, with `{{name}}` in variables and headers filled from the answers seen so far in this window. */
export function createFetcher(origin, storage) {
  const url = `${origin}/graphql`;
  /** A socket of its own for each subscription, with the headers of its tab. No retries: a refused token is to be seen, not waited for. */
  const socketOf = (headers) => createClient({ url: url.replace(/^http/, 'ws'), connectionParams: connectionParamsOf(headers), retryAttempts: 0 });
  const known = () => JSON.parse(storage.getItem(STORAGE_KEY) ?? '{}');
  const remember = (answer) => storage.setItem(STORAGE_KEY, JSON.stringify(learn(answer?.data, known())));
  return async (params, options) => {
    const { operation, documentAST } = whatToRun(params);
    const headers = fillHeaders(options?.headers ?? {}, known());
    const filled = { ...params, operationName: operation?.name?.value, variables: fill(params.variables ?? {}, known()) };
    const wsClient = operation?.operation === 'subscription' ? socketOf(headers) : undefined;
    const answer = await createGraphiQLFetcher({ url, wsClient, enableIncrementalDelivery: false })(filled, { ...options, documentAST, headers });
    if (!isAsyncIterable(answer)) remember(answer);
    return answer;
  };
}

/** Read from the text itself: right after a change of tab GraphiQL still names the operation of the tab before. Text with mistakes is the server's to refuse. */
function whatToRun({ query, operationName }) {
  try {
    const documentAST = parse(query);
    const operations = documentAST.definitions.filter(({ kind }) => kind === 'OperationDefinition');
    return { documentAST, operation: operations.find(({ name }) => name?.value === operationName) ?? operations[0] };
  } catch {
    return {};
  }
}

/** The websocket carries the two tokens under other names than HTTP does. */
function connectionParamsOf(headers) {
  const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const { 'x-queue-token': queueToken, ...rest } = named;
  return queueToken === undefined ? rest : { ...rest, queueToken };
}
