import { Redis } from 'ioredis';
import mysql from 'node:net';
import { badInput, ERROR_CODES, forbidden, notFound, queueTokenExpired, rateLimited, RequestError } from '../../src/domain/errors.js';
import { startEdge, type Edge } from '../support/edge.js';
import { socketErrors } from '../support/raw-socket.js';

const SECRET = 'select password_hash from user where email = "a@example.com"';

class DriverError extends Error {
  readonly code = 'ER_PARSE_ERROR';
  readonly errno = 1064;
  readonly sql = SECRET;
  readonly sqlMessage = 'You have an error in your SQL syntax';
}

const FAILURES: Record<string, () => unknown> = {
  fault: () => new Error('secret plan of the database'),
  driver: () => new DriverError(`${SECRET} - You have an error in your SQL syntax`),
  thrownText: () => 'just text',
  input: () => badInput('amount', 'Must be positive.'),
  missing: () => notFound('concert'),
  forbidden: () => forbidden(),
  expired: () => queueTokenExpired(),
  limited: () => rateLimited(7),
  refused: () => Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:3306'), { code: 'ECONNREFUSED', errno: -111, syscall: 'connect' }),
  lost: () => Object.assign(new Error('Connection lost: The server closed the connection.'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true }),
  wrapped: () => new Error('DriverException', { cause: Object.assign(new Error('Lock wait timeout exceeded'), { code: 'ER_LOCK_WAIT_TIMEOUT', errno: 1205 }) }),
  redisAway: () => new Error("Stream isn't writeable and enableOfflineQueue options is false"),
};

const fail = (kind: string): never => {
  throw FAILURES[kind]!();
};

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge(
    {
      'Query.fail': { resolve: (_source, args) => fail(args['kind']) },
      'Query.node': { resolve: () => ({ value: 1, list: Array.from({ length: 20 }, () => ({ value: 1 })) }) },
      'Node.failing': { resolve: () => fail('fault') },
      'Node.broken': { resolve: () => null },
      'Subscription.failing': {
        subscribe: async function* (_source, args) {
          if (args['kind'] === 'start') fail('fault');
          yield args['kind'];
        },
        resolve: (kind) => fail(String(kind)),
      },
      'Subscription.endless': { subscribe: () => fail('fault') },
      'Subscription.ticks': { subscribe: async function* () { yield { value: 1 }; } },
    },
    { NODE_ENV: 'production' },
  );
});
afterAll(() => edge.stop());

const overHttp = async (kind: string): Promise<any> => (await edge.client.raw('query ($kind: String!) { fail(kind: $kind) }', { kind })).errors![0];
const overWs = async (kind: string): Promise<any> => (await socketErrors(edge.url, 'subscription ($kind: String!) { failing(kind: $kind) }', { kind }))[0];

const EXPECTED: [kind: string, extensions: Record<string, unknown>, message: RegExp][] = [
  ['input', { code: 'BAD_USER_INPUT', field: 'amount' }, /^Must be positive\.$/],
  ['missing', { code: 'NOT_FOUND' }, /^No such concert\.$/],
  ['forbidden', { code: 'FORBIDDEN' }, /may not/],
  ['expired', { code: 'QUEUE_TOKEN_EXPIRED' }, /pass has ended/],
  ['limited', { code: 'RATE_LIMITED', retryAfterSeconds: 7 }, /Too many/],
  ...['refused', 'lost', 'wrapped', 'redisAway'].map((kind): [string, Record<string, unknown>, RegExp] => [kind, { code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 5 }, /not available/]),
  ...['fault', 'driver', 'thrownText'].map((kind): [string, Record<string, unknown>, RegExp] => [kind, { code: 'INTERNAL_SERVER_ERROR', requestId: expect.any(String) }, /^Something went wrong on our side\.$/]),
];

test.each(EXPECTED)('%s looks the same over HTTP and over the websocket', async (kind, extensions, message) => {
  for (const error of [await overHttp(kind), await overWs(kind)]) {
    expect(error.message).toMatch(message);
    expect(error.extensions).toEqual(extensions);
    expect(Object.keys(error).sort()).toEqual(['extensions', 'locations', 'message', 'path']);
  }
});

test('a fault is logged once, with the request id that the client was told, with its stack and without the statement', async () => {
  const error = await overHttp('driver');
  const lines = edge.log().filter((line) => line['requestId'] === error.extensions.requestId && line['msg'] === 'fault') as { err: { stack: string } }[];
  expect(lines).toHaveLength(1);
  expect(lines[0]!.err).toMatchObject({ code: 'ER_PARSE_ERROR', message: 'You have an error in your SQL syntax' });
  expect(lines[0]!.err.stack).toMatch(/errors\.test/);
  expect(JSON.stringify(edge.log())).not.toContain('password_hash');
});

test('a fault over the websocket is logged with the id of its message', async () => {
  const error = await overWs('fault');
  const lines = edge.log().filter((line) => line['requestId'] === error.extensions.requestId && line['msg'] === 'fault');
  expect(lines).toHaveLength(1);
});

test('a subscription that fails when it starts is masked too, and the next one works', async () => {
  const [start] = await socketErrors(edge.url, 'subscription { failing(kind: "start") }');
  const [source] = await socketErrors(edge.url, 'subscription { endless }');
  for (const error of [start, source]) expect(error).toMatchObject({ message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL_SERVER_ERROR' } });
  expect(await socketErrors(edge.url, 'subscription { ticks(count: 1) { value } }')).toBeUndefined();
});

test('at most 5 errors leave and at most 5 faults are logged, however many fields fail', async () => {
  const before = edge.log().filter((line) => line['msg'] === 'fault').length;
  const answer = await edge.client.raw('{ node { list { failing } } }', {});
  expect(answer.errors).toHaveLength(5);
  expect(edge.log().filter((line) => line['msg'] === 'fault').length - before).toBe(5);
  const [first] = await Promise.all([socketErrors(edge.url, 'subscription { ticks(count: 1) { a: nope1 b: nope2 c: nope3 d: nope4 e: nope5 f: nope6 g: nope7 } }')]);
  expect(first).toHaveLength(5);
});

test('a null where the schema promises a value is a fault of ours, without the name of the field in the message', async () => {
  const { errors } = await edge.client.raw('{ node { broken } }', {});
  expect(errors![0]).toMatchObject({ message: 'Something went wrong on our side.', extensions: { code: 'INTERNAL_SERVER_ERROR' } });
});

const MISTAKES: [name: string, query: string, variables: unknown, field: string | undefined, message: RegExp][] = [
  ['syntax', '{', {}, undefined, /^Syntax Error/],
  ['unknown field', '{ publik }', {}, undefined, /^Cannot query field "publik" on type "Query"\.$/],
  ['unknown argument', '{ pick(color: RED) }', {}, 'color', /^Unknown argument "color" on field "Query.pick"\.$/],
  ['missing argument', '{ thing }', {}, 'input', /is required/],
  ['missing variable', 'query ($input: ThingInput!) { thing(input: $input) }', {}, 'input', /was not provided/],
  ['null variable', 'query ($input: ThingInput!) { thing(input: $input) }', { input: null }, 'input', /must not be null/],
  ['string amount', 'query ($input: ThingInput!) { thing(input: $input) }', { input: { amount: '5' } }, 'amount', /Not an amount/],
  ['fraction in a nested input', 'query ($input: ThingInput!) { thing(input: $input) }', { input: { amount: 5, inner: { amount: 1.5 } } }, 'amount', /at "input\.inner\.amount": Not an amount/],
  ['list item', 'query ($input: ThingInput!) { thing(input: $input) }', { input: { amount: 5, numbers: [1, 'x'] } }, 'numbers', /Int cannot represent/],
  ['missing field', 'query ($input: ThingInput!) { thing(input: $input) }', { input: {} }, 'amount', /"amount" of required type/],
  ['unknown input field', 'query ($input: ThingInput!) { thing(input: $input) }', { input: { amount: 1, amont: 1 } }, 'amont', /"amont" is not defined by type "ThingInput"\.$/],
  ['enum variable', 'query ($colour: Colour) { pick(colour: $colour) }', { colour: 'REDD' }, 'colour', /does not exist in "Colour" enum\.$/],
  ['object for an id', 'query ($id: ID) { pick(id: $id) }', { id: { a: 1 } }, 'id', /ID cannot represent/],
  ['literal amount', '{ thing(input: { note: "n", amount: "5" }) }', {}, 'amount', /Not an amount/],
  ['literal in a nested input', '{ thing(input: { amount: 1, numbers: [1, 2], inner: { amount: -1 } }) }', {}, 'amount', /Not an amount/],
  ['literal list item', '{ thing(input: { amount: 1, numbers: [[1], 2, "x"] }) }', {}, 'numbers', /Int cannot represent/],
  ['literal without a field', '{ thing(input: { note: "n" }) }', {}, 'amount', /of required type/],
  ['literal enum', '{ pick(colour: REDD) }', {}, 'colour', /does not exist in "Colour" enum\.$/],
  ['literal null', '{ thing(input: { amount: null }) }', {}, 'amount', /found null/],
  ['null for an argument with a default', 'query ($count: Int) { first(count: $count) }', { count: null }, 'count', /must not be null/],
  ['unknown operation', 'query A { public } query B { public }', {}, undefined, /operation/],
];

test.each(MISTAKES)("a client's mistake (%s) is BAD_USER_INPUT on its field, without suggestions", async (_name, query, variables, field, message) => {
  const answer = await edge.client.raw(query, variables);
  const [error] = answer.errors!;
  expect(error!.message).toMatch(message);
  expect(error!.message).not.toMatch(/Did you mean/);
  expect(error!.extensions).toEqual({ code: 'BAD_USER_INPUT', ...(field ? { field } : {}) });
});

test('a value of 10 kB in a variable is not sent back', async () => {
  const { errors } = await edge.client.raw('query ($input: ThingInput!) { thing(input: $input) }', { input: { amount: 'x'.repeat(10_000) } });
  expect(errors![0]!.message.length).toBeLessThan(600);
});

test('only listed codes leave', () => {
  expect(EXPECTED.every(([, { code }]) => (ERROR_CODES as readonly unknown[]).includes(code))).toBe(true);
  expect(new RequestError('NOT_FOUND', 'x').code).toBe('NOT_FOUND');
});

test('what the real drivers throw when nothing listens is SERVICE_UNAVAILABLE', async () => {
  const { isStoreAway } = await import('../../src/server/store-errors.js');
  const redis = new Redis(1, '127.0.0.1', { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  redis.on('error', () => undefined);
  expect(isStoreAway(await redis.get('x').catch((error: unknown) => error))).toBe(true);
  const refused = await new Promise((resolve) => mysql.connect(1, '127.0.0.1').on('error', resolve));
  expect(isStoreAway(refused)).toBe(true);
  expect(isStoreAway(new Error('MISCONF Redis is configured to save RDB snapshots, but it cannot'))).toBe(true);
  expect(isStoreAway(new TypeError('x is not a function'))).toBe(false);
});
