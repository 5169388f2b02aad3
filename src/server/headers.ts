import type { Config } from '../config.js';
import { isListedOrigin } from './origin.js';

/** Names and values in turn, as Node writes them without another copy. */
export type HeaderList = string[];

export const GRAPHQL_METHODS = 'GET, POST';
export const JSON_TYPE = 'application/json; charset=utf-8';
const REQUEST_HEADERS = 'content-type, authorization, x-queue-token, x-request-id, apollo-require-preflight, x-apollo-operation-name';
const PREFLIGHT_KEPT_S = '600';

/** What every answer carries, whichever way it goes: what browsers must not do with it, the request's id, and which pages may read it. */
export function answerHeaders(config: Config, requestId: string, origin: string | undefined): HeaderList {
  const headers = [
    'x-request-id', requestId,
    'x-content-type-options', 'nosniff',
    'x-frame-options', 'DENY',
    'content-security-policy', "frame-ancestors 'none'",
    'referrer-policy', 'no-referrer',
    'vary', 'Origin',
  ];
  if (config.production) headers.push('cross-origin-resource-policy', 'same-site');
  if (origin !== undefined && isListedOrigin(origin, config)) headers.push('access-control-allow-origin', origin, 'access-control-expose-headers', 'x-request-id, retry-after');
  return headers;
}

/** What a listed page is told that asks first. */
export const PREFLIGHT_HEADERS: HeaderList = [
  'access-control-allow-methods', GRAPHQL_METHODS,
  'access-control-allow-headers', REQUEST_HEADERS,
  'access-control-max-age', PREFLIGHT_KEPT_S,
];

export function eachHeader(headers: HeaderList, put: (name: string, value: string) => void): void {
  for (let index = 0; index < headers.length; index += 2) put(headers[index]!, headers[index + 1]!);
}
