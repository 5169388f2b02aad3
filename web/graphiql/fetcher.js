import { createGraphiQLFetcher, isAsyncIterable } from '@graphiql/toolkit';
import { getOperationAST } from 'graphql';
import { fill, fillHeaders, learn } from './memory.js';

const STORAGE_KEY = 'frontrow:remembered';

/** GraphiQL's own fetcher, with `{{name}}` in variables and headers filled from the answers seen so far in this window. */
export function createFetcher(origin, storage) {
  const inner = createGraphiQLFetcher({
    url: `${origin}/graphql`,
    subscriptionUrl: `${origin.replace(/^http/, 'ws')}/graphql`,
    enableIncrementalDelivery: false,
  });
  const known = () => JSON.parse(storage.getItem(STORAGE_KEY) ?? '{}');
  const remember = (answer) => storage.setItem(STORAGE_KEY, JSON.stringify(learn(answer?.data, known())));
  return async (params, options) => {
    const headers = fillHeaders(options?.headers ?? {}, known());
    const isSubscription = options?.documentAST && getOperationAST(options.documentAST, params.operationName)?.operation === 'subscription';
    const answer = await inner({ ...params, variables: fill(params.variables ?? {}, known()) }, { ...options, headers: isSubscription ? connectionParamsOf(headers) : headers });
    if (!isAsyncIterable(answer)) remember(answer);
    return answer;
  };
}

/** The websocket carries the two tokens under other names than HTTP does. */
function connectionParamsOf(headers) {
  const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const { 'x-queue-token': queueToken, ...rest } = named;
  return queueToken === undefined ? rest : { ...rest, queueToken };
}
