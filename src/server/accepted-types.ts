import { JSON_TYPE } from './headers.js';

/** Kinds of clients; what an Accept header means is found out once. */
export const ACCEPTED_TYPES_MAX = 100;

/** Which type an answer has for an Accept header, as Apollo has chosen it before. What is not known here goes to Apollo. */
export class AcceptedTypes {
  readonly #typeOf = new Map<string | undefined, string>([
    [undefined, JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/json', JSON_TYPE],
  ]);

  typeFor(accept: string | undefined): string | undefined {
    return this.#typeOf.get(accept);
  }

  learn(accept: string | undefined, type: string | undefined): void {
    if (type !== undefined && this.#typeOf.size < ACCEPTED_TYPES_MAX) this.#typeOf.set(accept, type);
  }
}

/** Clients that know only application/json read the body whatever happened; GraphQL over HTTP asks for 200 when they sent a document that was read and refused. */
export function takesOnlyJson(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('application/json') && !accept.includes('application/graphql-response+json') && !accept.includes('*/*');
}
