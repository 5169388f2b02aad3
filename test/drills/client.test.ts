import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { DrillBuyer } from '../../drills/support/buyer.js';
import { DrillClient, type Target } from '../../drills/support/client.js';
import { History } from '../../drills/support/history.js';
import { Random } from '../../drills/support/random.js';

/** What the drills' client makes of an answer: nothing that may hide a commit is ever taken for a no. */

const SHORT_TIMEOUT_MS = 100;

let server: Server;
let respond: (response: ServerResponse, request: IncomingMessage) => void;
let targets: Target[];
let history: History;
let client: DrillClient;
let buyer: DrillBuyer;

beforeAll(async () => {
  server = createServer((request, response) => respond(response, request));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

beforeEach(() => {
  targets = ['one', 'two'].map((name) => ({ name, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  history = new History();
  client = new DrillClient({ history, targets, random: new Random(1), signal: new AbortController().signal, ...(expect.getState().currentTestName === 'no answer' ? { timeoutMs: SHORT_TIMEOUT_MS } : {}) });
  buyer = new DrillBuyer(client, { id: 'ann', email: '', accessToken: 'token', sessionId: '' });
});
afterEach(() => {
  client.close();
  server.closeAllConnections();
});

const json = (body: unknown, status = 200) => (response: ServerResponse) => void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const error = (code: string) => json({ data: null, errors: [{ message: '', extensions: { code } }] });
const charge = json({ data: { charge: { __typename: 'Charge', id: 'c', amount: 5, balance: 5, chargedAt: '2026-01-01T00:00:00.000Z' } } });
const refusal = json({ data: { charge: { __typename: 'BalanceLimitExceeded', message: 'no', limit: 1, currentBalance: 0 } } });

test.each([
  ['the charge', charge, 'ok', null],
  ['a refusal', refusal, 'fail', 'BalanceLimitExceeded'],
  ['an error of the request', error('BAD_USER_INPUT'), 'fail', 'BAD_USER_INPUT'],
  ['a rate limit', error('RATE_LIMITED'), 'fail', 'RATE_LIMITED'],
  ['a store that is away', error('SERVICE_UNAVAILABLE'), 'unknown', 'SERVICE_UNAVAILABLE'],
  ['a fault', error('INTERNAL_SERVER_ERROR'), 'unknown', 'INTERNAL_SERVER_ERROR'],
  ['data behind a status of a proxy', json({ data: {} }, 502), 'unknown', 'HTTP 502'],
  ['a page instead of an answer', (response: ServerResponse) => void response.writeHead(503).end('<html>'), 'unknown', 'HTTP 503'],
  ['neither data nor errors', json({ data: null }), 'unknown', 'HTTP 200'],
  ['a reset', (response: ServerResponse) => void response.socket!.resetAndDestroy(), 'unknown', 'ECONNRESET'],
  ['half an answer', (response: ServerResponse) => { response.writeHead(200, { 'content-length': 100 }).write('{'); response.socket!.end(); }, 'unknown', /CUT_OFF|ECONNRESET/],
  ['no answer', () => undefined, 'unknown', 'TIMEOUT'],
])('%s', async (_, answer, outcome, code) => {
  respond = answer;
  const reply = await buyer.charge(5, 'key');
  expect(reply.outcome).toBe(outcome);
  if (code) expect(reply.operation.code).toMatch(code);
  expect(history.counts()).toEqual({ charge: { ok: 0, fail: 0, unknown: 0, [outcome]: 1 } });
});

test('what is unknown is asked again, each time elsewhere, with the same key, until it is known; the history has every call', async () => {
  const keys: unknown[] = [];
  respond = (response, request) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      keys.push((JSON.parse(Buffer.concat(chunks).toString()) as { variables: { input: { idempotencyKey: string } } }).variables.input.idempotencyKey);
      if (keys.length < 3) response.socket!.resetAndDestroy();
      else charge(response);
    });
  };
  const reply = await client.untilKnown((via) => buyer.charge(5, 'key', via));
  expect(reply.outcome).toBe('ok');
  expect(keys).toEqual(['key', 'key', 'key']);
  expect(history.operations.map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown', 'ok']);
  expect(new Set(history.operations.slice(0, 2).map(({ node }) => node)).size).toBe(2);
  expect(history.operations[2]!.value).toEqual({ id: 'c', amount: 5, balance: 5, chargedAt: Date.UTC(2026, 0, 1) });
});

test('calls beyond the limit wait without being invoked', async () => {
  const limited = new DrillClient({ history, targets, random: new Random(1), signal: new AbortController().signal, concurrencyMax: 2 });
  const some = new DrillBuyer(limited, buyer.account);
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let under = 0;
  respond = (response) => {
    under += 1;
    if (under === 2) resolve();
    void all.then(() => charge(response));
  };
  const calls = [1, 2, 3].map((key) => some.charge(5, String(key)));
  await all;
  expect(history.operations).toHaveLength(2);
  await Promise.all(calls);
  expect(history.operations).toHaveLength(3);
  limited.close();
});
