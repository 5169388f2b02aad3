import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { KnownOperations } from '../../src/server/known-operations.js';
import { RequestReader } from '../../src/server/request-reader.js';

const schema = buildSchema(readFileSync(new URL('../../src/schema/schema.graphql', import.meta.url), 'utf8'));
const ID = '01a1fe1c-0401-739f-956f-f5440a64b4b8';

function readTwice(query: string, variables: object): [unknown, unknown] {
  const reader = new RequestReader(new KnownOperations(schema, true, [query]));
  const body = () => Buffer.from(JSON.stringify({ query, variables }));
  return [reader.read(body()), reader.read(body())];
}

test('what a query, and what a crowd asks in the same words, is read once', () => {
  for (const [query, variables] of [
    ['query Concert($id: ID!) { concert(id: $id) { id } }', { id: ID }],
    ['mutation Join($id: ID!) { joinQueue(concertId: $id) { token } }', { id: ID }],
    ['mutation Reserve($input: ReserveInput!) { reserve(input: $input) { __typename } }', { input: { scheduleId: ID, seatNumbers: [1] } }],
  ] as const) {
    const [first, second] = readTwice(query, variables);
    expect(first).not.toBeNull();
    expect(second).toBe(first);
  }
});

test('of all other changes nothing is remembered', () => {
  for (const [query, variables] of [
    ['mutation SignIn($input: SignInInput!) { signIn(input: $input) { __typename } }', { input: { email: 'a@b.c', password: 'secret secret' } }],
    ['mutation Leave($id: ID!) { leaveQueue(concertId: $id) }', { id: ID }],
  ] as const) {
    const [first, second] = readTwice(query, variables);
    expect(first).not.toBeNull();
    expect(second).not.toBe(first);
  }
});
