import { isListedOrigin } from '../../src/server/origin.js';
import { startEdge, type Edge } from '../support/edge.js';
import { openSocket, refusedHandshake } from '../support/raw-socket.js';

const SHOP = 'https://shop.example';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({}, { NODE_ENV: 'production', CORS_ORIGINS: `${SHOP}, https://other.example` });
});
afterAll(() => edge.stop());

const preflight = (origin: string): Promise<Response> =>
  fetch(`${edge.url}/graphql`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type,x-queue-token' } });
const post = (origin: string): Promise<Response> =>
  fetch(`${edge.url}/graphql`, { method: 'POST', headers: { origin, 'content-type': 'application/json' }, body: '{"query":"{ public }"}' });

test('a listed origin may read answers and send tokens', async () => {
  const asked = await preflight(SHOP);
  expect(asked.status).toBe(204);
  expect(asked.headers.get('access-control-allow-origin')).toBe(SHOP);
  expect(asked.headers.get('access-control-allow-headers')).toMatch(/authorization.*x-queue-token/);
  expect(asked.headers.get('access-control-allow-credentials')).toBeNull();
  const answered = await post(SHOP);
  expect(answered.headers.get('access-control-allow-origin')).toBe(SHOP);
  expect(answered.headers.get('access-control-expose-headers')).toMatch(/x-request-id/);
  expect(answered.headers.get('vary')).toMatch(/Origin/i);
});

test.each(['https://evil.example', 'https://shop.example.evil.example', 'http://shop.example', 'null', 'http://localhost:3000'])('another origin (%s) is told nothing', async (origin) => {
  const asked = await preflight(origin);
  expect(asked.status).toBe(405);
  expect(asked.headers.get('access-control-allow-origin')).toBeNull();
  expect((await post(origin)).headers.get('access-control-allow-origin')).toBeNull();
});

test('a page of the same origin works without being listed', async () => {
  const answered = await post(edge.url);
  expect(await answered.json()).toEqual({ data: { public: 1 } });
});

test('the websocket takes listed origins, its own host, and clients that are no browser', async () => {
  for (const headers of [{ origin: SHOP }, { origin: edge.url }, {}] as Record<string, string>[]) {
    const raw = await openSocket(edge.url, { headers });
    expect((await raw.init()).type).toBe('connection_ack');
    raw.close();
  }
});

test.each(['https://evil.example', 'null', 'http://localhost:3000', 'not a url'])('the websocket refuses another origin (%s) before it opens', async (origin) => {
  const refused = await refusedHandshake(edge.url, { headers: { origin } });
  expect(refused).toMatchObject({ status: 403, body: { errors: [{ extensions: { code: 'FORBIDDEN' } }] } });
  expect(refused.headers['x-request-id']).toMatch(/^[\w-]+$/);
});

test('while developing, pages of this machine are listed', () => {
  const developing = { corsOrigins: [], production: false };
  for (const origin of ['http://localhost:5173', 'http://127.0.0.1:3000', 'http://[::1]:3000']) expect(isListedOrigin(origin, developing)).toBe(true);
  for (const origin of ['http://localhost.evil.example', 'null', 'https://evil.example']) expect(isListedOrigin(origin, developing)).toBe(false);
});
