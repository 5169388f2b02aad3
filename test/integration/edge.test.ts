import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { Answer } from '../support/client.js';
import { startEdge, type Edge } from '../support/edge.js';
import { openSocket } from '../support/raw-socket.js';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({ 'Query.mine': { access: 'signed-in' } }, { TRUST_PROXY_HOPS: '1', RATE_LIMIT: 'on', RATE_LIMIT_ADDRESS_MAX: '5', RATE_LIMIT_USER_MAX: '3' });
});
afterAll(() => edge.stop());

let client = 0;
/** Each test is a client of its own for the rate limit. */
beforeEach(() => {
  client += 1;
});

const send = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${edge.url}${path}`, { ...init, headers: { 'x-forwarded-for': `10.0.0.${client}`, ...(init.headers as Record<string, string>) } });
const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<Response> => send('/graphql', { method: 'POST', body, headers });
const QUERY = JSON.stringify({ query: '{ public }' });

/** Every error, whatever made it, has GraphQL's shape and a request id. */
async function expectError(response: Response, status: number, code: string, message: RegExp): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toMatch(/^application\/(graphql-response\+)?json/);
  expect(response.headers.get('x-request-id')).toMatch(/^[\w.:-]{1,64}$/);
  const body = (await response.json()) as Answer<never>;
  expect(Object.keys(body)).toEqual(['errors']);
  expect(body.errors![0]!.message).toMatch(message);
  expect(body.errors![0]!.extensions.code).toBe(code);
}

describe('bad requests are answered as GraphQL errors', () => {
  test.each([
    ['text that is not JSON', '{ "query": ', /not JSON/],
    ['NaN', '{"query":"{ public }","variables":{"a":NaN}}', /not JSON/],
    ['nothing', '', /empty/],
    ['a key that poisons prototypes', '{"__proto__":{"query":"{ public }"}}', /not JSON|not valid/],
    ['an array: batching is off', '[{"query":"{ public }"}]', /batching/],
    ['a number', '5', /body/],
    ['null', 'null', /body/],
    ['no query', '{"variables":{}}', /query/],
    ['a query that is an object', '{"query":{"kind":"Document"}}', /string/],
    ['variables that are text', '{"query":"{ public }","variables":"{}"}', /variables/],
    ['an operation name that is a number', '{"query":"{ public }","operationName":1}', /operationName/],
  ])('%s: 400', async (_name, body, message) => {
    await expectError(await post(body), 400, 'BAD_USER_INPUT', message);
  });

  test('a path that is not there: 404', async () => {
    await expectError(await send('/nope?query={public}'), 404, 'NOT_FOUND', /No such path/);
    await expectError(await send('/graphql/x'), 404, 'NOT_FOUND', /No such path/);
    await expectError(await send('/%'), 400, 'BAD_USER_INPUT', /URL/);
  });

  test('a method GraphQL does not use: 405 with those it does', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await send('/graphql', { method });
      expect(response.headers.get('allow')).toBe('GET, POST');
      await expectError(response, 405, 'BAD_USER_INPUT', /GET for queries and POST/);
    }
  });

  test('a body of another type: 415', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      await expectError(await post(QUERY, { 'content-type': type }), 415, 'BAD_USER_INPUT', /application\/json/);
    }
  });

  test('an offer to go on with HTTP/2 is passed over, the request is answered', async () => {
    const request = ['POST /graphql HTTP/1.1', 'host: x', 'connection: Upgrade, HTTP2-Settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAARAAAAAAAIAAAAA', 'content-type: application/json', `content-length: ${QUERY.length}`, `x-forwarded-for: 10.0.0.${client}`, '', QUERY];
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(edge.url).port), '127.0.0.1', () => socket.write(request.join('\r\n')));
      socket.on('data', (data) => (resolve(String(data)), socket.destroy()));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('{"data":{"public":1}}');
  });

  test('what is not HTTP at all: 400, with a request id', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(edge.url).port), '127.0.0.1', () => socket.write('NONSENSE\r\n\r\n'));
      socket.on('data', (data) => resolve(String(data)));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toMatch(/x-request-id: [\w-]+\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual({ errors: [{ message: 'Not a valid HTTP request.', extensions: { code: 'BAD_USER_INPUT' } }] });
  });
});

describe('cross-site request forgery', () => {
  test('a GET that any page could make a browser send is refused; with a header that needs a preflight it runs', async () => {
    const path = `/graphql?query=${encodeURIComponent('{ public }')}`;
    await expectError(await send(path), 400, 'BAD_USER_INPUT', /CSRF/);
    const allowed = await send(path, { headers: { 'apollo-require-preflight': '1' } });
    expect(await allowed.json()).toEqual({ data: { public: 1 } });
  });

  test('a GET runs no mutation', async () => {
    const response = await send(`/graphql?query=${encodeURIComponent('mutation { add(amount: 1) }')}`, { headers: { 'apollo-require-preflight': '1' } });
    await expectError(response, 405, 'BAD_USER_INPUT', /only support query/);
  });
});

test('a subscription over HTTP is refused before anything of it runs', async () => {
  await expectError(await post(JSON.stringify({ query: 'subscription { mine }' })), 400, 'BAD_USER_INPUT', /are for the websocket/);
});

test('what is refused before GraphQL sees it is counted too', async () => {
  const count = async (): Promise<number> => {
    const text = await (await send('/metrics')).text();
    return Number(/^frontrow_operations_total\{type="invalid",field="invalid",code="BAD_USER_INPUT"\} (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  const before = await count();
  await post('{');
  await post(QUERY, { 'content-type': 'text/plain' });
  expect((await count()) - before).toBe(2);
});

describe('request ids', () => {
  test('a sane one is taken over, into the answer and the log', async () => {
    const response = await send('/graphql', { method: 'POST', body: QUERY, headers: { 'content-type': 'application/json', 'x-request-id': 'edge-1.a:b' } });
    expect(response.headers.get('x-request-id')).toBe('edge-1.a:b');
    expect(edge.log().filter((line) => line['requestId'] === 'edge-1.a:b')).toEqual([expect.objectContaining({ msg: 'answered', path: '/graphql', status: 200 })]);
  });

  test.each(['x'.repeat(65), 'a b', 'ä', '{}'])('another one (%s) is replaced', async (given) => {
    const answered = await new Promise<string | undefined>((resolve, reject) => {
      httpRequest(`${edge.url}/health/live`, { headers: { 'x-request-id': Buffer.from(given).toString('latin1') } }, (response) => {
        response.resume();
        resolve(String(response.headers['x-request-id']));
      }).on('error', reject).end();
    });
    expect(answered).toMatch(/^[0-9a-f-]{36}$/);
  });
});

test('answers say what browsers must not do with them, and nothing of what we run on', async () => {
  const { headers } = await post(QUERY);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toBe("frame-ancestors 'none'");
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('server')).toBeNull();
});

describe('rate limits', () => {
  test('by address, as the trusted proxy names it: RATE_LIMITED with the seconds to wait', async () => {
    for (let count = 0; count < 5; count += 1) expect((await post(QUERY)).status).toBe(200);
    const refused = await post(QUERY);
    expect(refused.status).toBe(429);
    const { extensions } = ((await refused.json()) as Answer<never>).errors![0]!;
    expect(extensions).toEqual({ code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) });
    expect(extensions.retryAfterSeconds).toBeGreaterThan(0);
    expect(refused.headers.get('retry-after')).toBe(String(extensions.retryAfterSeconds));
    // Only the last address is the proxy's word; what a client writes before it changes nothing.
    const spoofed = await send('/graphql', { method: 'POST', body: QUERY, headers: { 'content-type': 'application/json', 'x-forwarded-for': `1.2.3.4, 10.0.0.${client}` } });
    expect(spoofed.status).toBe(429);
  });

  test('by user, from whatever addresses', async () => {
    const buyer = await edge.build.buyer();
    const as = (address: string): Promise<Response> =>
      send('/graphql', { method: 'POST', body: JSON.stringify({ query: '{ mine }' }), headers: { 'content-type': 'application/json', authorization: `Bearer ${buyer.accessToken}`, 'x-forwarded-for': address } });
    for (const address of ['10.1.0.1', '10.1.0.2', '10.1.0.3']) expect(await (await as(address)).json()).toEqual({ data: { mine: 1 } });
    expect((await as('10.1.0.4')).status).toBe(429);
  });

  test('a websocket counts when it connects and when it subscribes, by the same address', async () => {
    const headers = { 'x-forwarded-for': `6.6.6.6, 10.0.0.${client}` };
    const raw = await openSocket(edge.url, { headers });
    expect((await raw.init()).type).toBe('connection_ack');
    const subscribe = async (id: string): Promise<any> => {
      raw.send({ type: 'subscribe', id, payload: { query: 'subscription { mine }' } });
      return raw.next();
    };
    for (const id of ['1', '2', '3']) expect(await subscribe(id)).toEqual({ id, type: 'complete' });
    expect((await post(QUERY)).status).toBe(200);
    expect(await subscribe('5')).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } }] });
    const another = await openSocket(edge.url, { headers });
    expect(await another.init()).toEqual({ code: 1013, reason: 'Try again later' });
    raw.close();
  });

  test('health and metrics are not counted', async () => {
    for (let count = 0; count < 8; count += 1) expect((await send('/health/live')).status).toBe(200);
  });
});
