import { createHash, randomUUID } from 'node:crypto';
import { KNOWN_DOCUMENTS } from '../../src/server/known-documents.js';
import { KNOWN_DOCUMENT_MAX_LENGTH, KNOWN_DOCUMENTS_MAX } from '../../src/server/known-operations.js';
import { answeredAhead, sendBy } from '../support/both-ways.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** Automatic persisted queries, as Apollo's clients speak them. */

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow();
});
afterAll(() => frontrow.stop());

const hashOf = (query: string): string => createHash('sha256').update(query).digest('hex');
const persisted = (sha256Hash: string, version = 1) => ({ extensions: { persistedQuery: { version, sha256Hash } } });
const url = (): string => `${frontrow.client().url}/graphql`;
/** Not by the way the file goes: a client's own. */
const sendBody = async (body: unknown, way?: 'apollo' | 'ahead') => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await (way ? sendBy(way, url(), init) : plainFetch(url(), init));
  return { status: response.status, ...((await response.json()) as object) };
};
let plainFetch: typeof fetch;
beforeAll(() => {
  plainFetch = (input, init) => fetch(new Request(input as string, init));
});
const fresh = (): string => `query Fresh { __typename currency } # ${randomUUID()}`;
const DATA = { __typename: 'Query', currency: 'KRW' };
const NOT_FOUND = { status: 200, errors: [{ message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }] };

test('a hash that is not known is asked for its document; with it, it is known from then on, and answered ahead of Apollo', async () => {
  const query = fresh();
  expect(await sendBody(persisted(hashOf(query)))).toEqual(NOT_FOUND);
  expect(await sendBody({ query, ...persisted(hashOf(query)) }, 'apollo')).toEqual({ status: 200, data: DATA });
  expect(await sendBody(persisted(hashOf(query)), 'ahead')).toEqual({ status: 200, data: DATA });
  expect(await sendBody({ query, ...persisted(hashOf(query)) }, 'ahead')).toEqual({ status: 200, data: DATA });
  expect(await sendBody(persisted(hashOf(query)), 'apollo')).toEqual({ status: 200, data: DATA });
});

test('a GET may send the hash alone', async () => {
  const query = fresh();
  await sendBody({ query });
  const search = `extensions=${encodeURIComponent(JSON.stringify(persisted(hashOf(query)).extensions))}`;
  const response = await fetch(`${url()}?${search}`, { headers: { 'apollo-require-preflight': '1' } });
  expect(await response.json()).toEqual({ data: DATA });
});

test('a hash of something else is refused, whether the document is known or not, and registers nothing', async () => {
  const [query, other] = [fresh(), fresh()];
  for (let time = 0; time < 2; time += 1) {
    const refused = await sendBody({ query, ...persisted(hashOf(other)) });
    expect(refused).toMatchObject({ status: 400, errors: [{ message: 'provided sha does not match query', extensions: { code: 'BAD_USER_INPUT' } }] });
    await sendBody({ query });
  }
  expect(await sendBody(persisted(hashOf(other)))).toEqual(NOT_FOUND);
  expect(await sendBody(persisted(hashOf(query), 2))).toMatchObject({ status: 400, errors: [{ message: 'Unsupported persisted query version' }] });
});

test('a document that is not good is never registered, and a subscription is run neither way', async () => {
  for (const query of ['{ nope }', '{', 'subscription { reservationChanged { id } }']) {
    for (let time = 0; time < 2; time += 1) expect(await sendBody({ query, ...persisted(hashOf(query)) })).toMatchObject({ status: 400, errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] });
  }
  for (const query of ['{ nope }', '{']) expect(await sendBody(persisted(hashOf(query)))).toEqual(NOT_FOUND);
});

test('the documents that codegen writes are known from the start, by their text and by their hash', async () => {
  const concerts = KNOWN_DOCUMENTS.find((text) => text.startsWith('query Concerts'))!;
  const before = await answeredAhead(frontrow.app);
  for (const body of [{ query: concerts }, persisted(hashOf(concerts))]) expect(await sendBody(body)).toMatchObject({ data: { concerts: { nodes: [] } } });
  expect((await answeredAhead(frontrow.app)) - before).toBe(2);
});

test(`${KNOWN_DOCUMENTS_MAX} documents of clients are remembered: more push out those that nobody asks for, never the server's own; one of over ${KNOWN_DOCUMENT_MAX_LENGTH} characters never is`, async () => {
  const { known } = frontrow.instances[0]!;
  const first = fresh();
  await sendBody({ query: first });
  expect(known!.byHash(hashOf(first))).toBeDefined();
  for (let count = 0; count < KNOWN_DOCUMENTS_MAX; count += 1) known!.teach(fresh());
  expect(known!.byHash(hashOf(first))).toBeUndefined();
  expect(known!.byText(first)).toBeUndefined();
  for (const text of KNOWN_DOCUMENTS) expect(known!.byText(text)).toBeDefined();
  for (const [length, isKept] of [[KNOWN_DOCUMENT_MAX_LENGTH, true], [KNOWN_DOCUMENT_MAX_LENGTH + 1, false]] as const) {
    const query = fresh().padEnd(length, 'x');
    expect(await sendBody({ query })).toEqual({ status: 200, data: DATA });
    expect(known!.byText(query) !== undefined).toBe(isKept);
  }
});
