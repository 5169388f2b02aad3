import { getIntrospectionQuery } from 'graphql';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { socketErrors } from '../support/raw-socket.js';

let closed: Frontrow;
beforeAll(async () => {
  closed = await startFrontrow({ env: { NODE_ENV: 'production' } });
});
afterAll(() => closed.stop());

const url = (): string => closed.client().url;
const QUERIES = [getIntrospectionQuery(), '{ __schema { queryType { name } } }', '{ __type(name: "User") { name } }', '{ ...F } fragment F on Query { a: __schema { __typename } }'];

test.each(QUERIES)('in production the schema is closed over HTTP: %.40s', async (query) => {
  const answer = await closed.client().raw(query, {});
  expect(answer.data).toBeUndefined();
  expect(answer.errors![0]).toMatchObject({ message: expect.stringMatching(/introspection/i), extensions: { code: 'BAD_USER_INPUT' } });
});

test.each([...QUERIES, 'subscription { __schema { queryType { name } } }', 'subscription { __type(name: "User") { name } }'])('in production the schema is closed over the websocket: %.40s', async (query) => {
  const errors = await socketErrors(url(), query);
  expect(errors.length).toBeGreaterThan(0);
  for (const error of errors) expect(error.extensions.code).toBe('BAD_USER_INPUT');
  expect(JSON.stringify(errors)).toMatch(/introspection/i);
});

test('__typename stays, clients need it', async () => {
  expect((await closed.client().raw('{ __typename currency }', {})).data).toEqual({ __typename: 'Query', currency: 'KRW' });
});

test.each([
  ['a field', '{ curency }', {}],
  ['an argument', '{ concerts(frist: 1) { __typename } }', {}],
  ['a type', '{ __typename ... on Qery { now } }', {}],
  ['a variable’s type', 'query ($input: ChargeInputt!) { now }', {}],
  ['an enum value', '{ seats(scheduleId: "x", status: AVAILABEL) { number } }', {}],
  ['an enum value in a variable', 'query ($s: SeatStatus) { seats(scheduleId: "x", status: $s) { number } }', { s: 'AVAILABEL' }],
  ['an input field in a variable', 'mutation ($input: ChargeInput!) { charge(input: $input) { __typename } }', { input: { amont: 1 } }],
  ['a subscription', 'subscription { reservationChange { id } }', {}],
])('in production a misspelt name (%s) is not corrected, on either transport', async (_name, query, variables) => {
  const overHttp = await closed.client().raw(query, variables);
  expect(overHttp.errors!.length).toBeGreaterThan(0);
  expect(JSON.stringify(overHttp.errors)).not.toMatch(/did you mean/i);
  expect(JSON.stringify(await socketErrors(url(), query, variables))).not.toMatch(/did you mean/i);
});

test('in production there is no GraphiQL and no landing page', async () => {
  for (const path of ['/graphiql', '/graphiql/', '/']) expect((await fetch(`${url()}${path}`)).status).toBe(404);
  const page = await fetch(`${url()}/graphql`, { headers: { accept: 'text/html' } });
  expect(page.status).toBe(400);
  expect(page.headers.get('content-type')).toMatch(/json/);
});
