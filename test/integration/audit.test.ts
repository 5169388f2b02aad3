import { getIntrospectionQuery, validateSchema, buildClientSchema } from 'graphql';
import { serverAudits } from 'graphql-http';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** Being refused is CSRF prevention: a GET that any page can send needs a header that any page cannot. */
const REFUSED_ON_PURPOSE = ['5A70', '6A70', 'D6D5'];

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow();
});
afterAll(() => frontrow.stop());

test('the server passes every MUST and SHOULD of GraphQL over HTTP, and of the MAYs all but those that CSRF prevention refuses', async () => {
  const audits = serverAudits({ url: `${frontrow.client().url}/graphql`, fetchFn: fetch });
  const results = await Promise.all(audits.map(async ({ id, name, fn }) => ({ id, name, status: (await fn()).status })));
  expect(results.length).toBeGreaterThan(60);
  const failing = results.filter(({ status }) => status !== 'ok');
  expect(failing.map(({ id }) => id).sort()).toEqual(REFUSED_ON_PURPOSE);
  expect(failing.every(({ name }) => name.startsWith('MAY'))).toBe(true);
});

test('while introspection is open the whole schema can be read through the limits', async () => {
  const answer = await frontrow.client().raw(getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true }), {});
  expect(answer.errors).toBeUndefined();
  expect(validateSchema(buildClientSchema(answer.data))).toEqual([]);
});

const post = (query: string, accept: string, variables: unknown = {}): Promise<Response> =>
  fetch(`${frontrow.client().url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: JSON.stringify({ query, variables }) });

test.each([
  ['application/json', 200, 'application/json'],
  ['application/json, text/plain;q=0.5', 200, 'application/json'],
  ['application/graphql-response+json', 400, 'application/graphql-response+json'],
  ['application/graphql-response+json, application/json;q=0.9', 400, 'application/graphql-response+json'],
  ['*/*', 400, 'application/json'],
])('a refused document for a client that accepts %s: status %i', async (accept, status, type) => {
  const response = await post('{ nope }', accept);
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toMatch(type);
  expect(Object.keys((await response.json()) as object)).toEqual(['errors']);
});

test('an error of a field is part of a result: status 200', async () => {
  const response = await post('{ me { id } }', 'application/graphql-response+json');
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ data: null, errors: [{ path: ['me'], extensions: { code: 'UNAUTHENTICATED' } }] });
});

test('what cannot be read by the client is not sent: 406', async () => {
  const response = await post('{ now }', 'text/html');
  expect(response.status).toBe(406);
});
