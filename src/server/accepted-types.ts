import { Recent } from '../domain/recent.js';
import { JSON_TYPE } from './headers.js';

const RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';

/** What common clients send. Known whatever else is asked for. */
const COMMON: ReadonlyMap<string | undefined, string> = new Map([
  [undefined, JSON_TYPE],
  ['*/*', JSON_TYPE],
  ['application/json', JSON_TYPE],
  ['application/json, text/plain, */*', JSON_TYPE],
  ['application/json, multipart/mixed', JSON_TYPE],
  ['application/graphql-response+json', RESPONSE_TYPE],
  ['application/graphql-response+json, application/json', RESPONSE_TYPE],
  ['application/graphql-response+json,application/json;q=0.9', RESPONSE_TYPE],
  ['application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed', RESPONSE_TYPE],
]);
/** Others, whose meaning is found out once; the longest unused go first. */
export const ACCEPTED_TYPES_MAX = 100;

/** Which type an answer has for an Accept header, as Apollo has chosen it before. What is not known here goes to Apollo. */
export class AcceptedTypes {
  readonly #learned = new Recent<string, string>(ACCEPTED_TYPES_MAX);

  typeFor(accept: string | undefined): string | undefined {
    return COMMON.get(accept) ?? (accept === undefined ? undefined : this.#learned.get(accept));
  }

  learn(accept: string | undefined, type: string | undefined): void {
    if (accept !== undefined && type !== undefined && !COMMON.has(accept)) this.#learned.set(accept, type);
  }
}

/** Clients that know only application/json read the body whatever happened; GraphQL over HTTP asks for 200 when they sent a document that was read and refused. */
export function takesOnlyJson(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('application/json') && !accept.includes('application/graphql-response+json') && !accept.includes('*/*');
}
