import { jest } from '@jest/globals';
import { startEdge, type Edge } from '../support/edge.js';
import { openSocket, refusedHandshake, socketErrors, type RawSocket } from '../support/raw-socket.js';
import { timed } from '../support/timed.js';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({
    'Query.node': { resolve: () => NODE },
    'Subscription.ticks': { subscribe: async function* () { yield NODE; } },
    'Subscription.endless': { subscribe: () => ({ next: () => new Promise(() => undefined), return: () => Promise.resolve({ done: true, value: undefined }), [Symbol.asyncIterator]() { return this; } }) },
  });
});
afterEach(() => jest.useRealTimers());
afterAll(() => edge.stop());

const NODE: Record<string, unknown> = { value: 1, list: [], twigs: [] };
NODE['next'] = NODE;

const repeat = (count: number, text: (index: number) => string): string => Array.from({ length: count }, (_, index) => text(index)).join(' ');
/** Fields nested to a depth of `levels` below and including the first. */
const nested = (levels: number): string => `${'next { '.repeat(levels - 1)}value${' }'.repeat(levels - 1)}`;

const overHttp = async (query: string): Promise<any> => (await edge.client.raw(query, {})).errors?.[0];
const overWs = async (query: string): Promise<any> => (await socketErrors(edge.url, query))?.[0];

/** [what, at the limit, one above it, what is said]; as a query over HTTP and as a subscription over the websocket. */
const LIMITS: [string, string, string, string, string, RegExp][] = [
  ['depth 10', `{ node { ${nested(9)} } }`, `{ node { ${nested(10)} } }`, `subscription { ticks(count: 1) { ${nested(9)} } }`, `subscription { ticks(count: 1) { ${nested(10)} } }`, /levels deep 11, at most 10/],
  ['fields 300', `{ node { ${repeat(299, () => 'value')} } }`, `{ node { ${repeat(300, () => 'value')} } }`, `subscription { ticks(count: 1) { ${repeat(299, () => 'value')} } }`, `subscription { ticks(count: 1) { ${repeat(300, () => 'value')} } }`, /fields 301, at most 300/],
  ['aliases 20', `{ node { ${repeat(20, (i) => `a${i}: value`)} } }`, `{ node { ${repeat(21, (i) => `a${i}: value`)} } }`, `subscription { ticks(count: 1) { ${repeat(20, (i) => `a${i}: value`)} } }`, `subscription { ticks(count: 1) { ${repeat(21, (i) => `a${i}: value`)} } }`, /aliases 21, at most 20/],
  ['lists of a type inside each other 1', '{ node { list { next { value } } } }', '{ node { list { next { list { value } } } } }', 'subscription { ticks(count: 1) { list { next { value } } } }', 'subscription { ticks(count: 1) { list { next { list { value } } } } }', /lists of Node inside each other 2, at most 1/],
  ['lists inside each other 3', '{ node { twigs { leaves { veins { value } } } } }', '{ node { list { twigs { leaves { veins { value } } } } } }', 'subscription { ticks(count: 1) { twigs { leaves { veins { value } } } } }', 'subscription { ticks(count: 1) { list { twigs { leaves { veins { value } } } } } }', /lists inside each other 4, at most 3/],
];

describe.each(LIMITS)('%s', (_name, atLimit, above, wsAtLimit, wsAbove, message) => {
  test('over HTTP', async () => {
    expect(await overHttp(atLimit)).toBeUndefined();
    expect(await overHttp(above)).toMatchObject({ message: expect.stringMatching(message), extensions: { code: 'BAD_USER_INPUT' } });
  });
  test('over the websocket', async () => {
    expect(await overWs(wsAtLimit)).toBeUndefined();
    expect(await overWs(wsAbove)).toMatchObject({ message: expect.stringMatching(message), extensions: { code: 'BAD_USER_INPUT' } });
  });
});

/** Of exactly so many tokens: a selection of numbers in a list costs no field. */
const queryOfTokens = (count: number): string => `{ thing(input: { amount: 1 numbers: [${'1 '.repeat(count - 16)}] }) }`;
const subscriptionOfTokens = (count: number): string => `subscription ($n: [Int] = [${'1 '.repeat(count - 23)}]) { ticks(count: 1) { value } }`;

describe('tokens 1000', () => {
  test('over HTTP', async () => {
    expect(await overHttp(queryOfTokens(1000))).toBeUndefined();
    expect(await overHttp(queryOfTokens(1001))).toMatchObject({ message: expect.stringMatching(/1000 tokens/), extensions: { code: 'BAD_USER_INPUT' } });
  });
  test('over the websocket', async () => {
    expect((await overWs(subscriptionOfTokens(1000)))?.message).toMatch(/"\$n" is never used/);
    expect(await overWs(subscriptionOfTokens(1001))).toMatchObject({ message: expect.stringMatching(/1000 tokens/), extensions: { code: 'BAD_USER_INPUT' } });
  });
});

test('root fields 10, on both transports', async () => {
  const roots = (count: number): string => `{ ${repeat(count, () => 'public')} }`;
  expect(await overHttp(roots(10))).toBeUndefined();
  expect(await overHttp(roots(11))).toMatchObject({ message: expect.stringMatching(/asks for too much: root fields 11, at most 10/) });
  expect((await overWs(roots(10))).message).toMatch(/is for subscriptions/);
  expect((await overWs(roots(11))).message).toMatch(/asks for too much: root fields 11, at most 10/);
});

test('one mutation per operation, also through a fragment and under aliases, on both transports', async () => {
  expect(await overHttp('mutation { add(amount: 1) }')).toBeUndefined();
  for (const two of ['mutation { a: add(amount: 1) b: add(amount: 2) }', 'mutation { add(amount: 1) ...F } fragment F on Mutation { b: add(amount: 2) }']) {
    expect(await overHttp(two)).toMatchObject({ message: expect.stringMatching(/mutations 2, at most 1/), extensions: { code: 'BAD_USER_INPUT' } });
    expect((await overWs(two)).message).toMatch(/mutations 2, at most 1/);
  }
  expect((await overWs('mutation { add(amount: 1) }')).message).toMatch(/is for subscriptions/);
});

test('fragments are counted where they are spread: a small document that unfolds into millions of fields is refused at once', async () => {
  const doubling = repeat(25, (i) => `fragment F${i} on Node { next { ...F${i + 1} } other: next { ...F${i + 1} } }`);
  const { result, ownMs } = await timed(() => overHttp(`{ node { ...F0 } } ${doubling} fragment F25 on Node { value }`));
  expect(result.message).toMatch(/asks for too much/);
  expect(ownMs).toBeLessThan(2000);
  const spread = (count: number): string => `{ node { ${repeat(count, () => '...F')} } } fragment F on Node { ${repeat(29, () => 'value')} }`;
  expect(await overHttp(spread(10))).toBeUndefined();
  expect((await overHttp(spread(11))).message).toMatch(/fields 320/);
});

test('fragments that contain each other are refused, not followed', async () => {
  const error = await overHttp('{ node { ...A } } fragment A on Node { next { ...B } } fragment B on Node { next { ...A } }');
  expect(error).toMatchObject({ message: expect.stringMatching(/Cannot spread fragment/), extensions: { code: 'BAD_USER_INPUT' } });
});

test('introspection is not counted: depth 10 and 300 fields are for data', async () => {
  const deep = `{ __schema { types { fields { type { ${'ofType { '.repeat(12)}name${' }'.repeat(12)} } } } } }`;
  expect(await overHttp(deep)).toBeUndefined();
});

test('errors per response 5, on both transports', async () => {
  const wrong = repeat(8, (i) => `nope${i}`);
  expect((await edge.client.raw(`{ ${wrong} }`, {})).errors).toHaveLength(5);
  expect(await socketErrors(edge.url, `subscription { ticks(count: 1) { ${wrong} } }`)).toHaveLength(5);
});

const LIMIT_BYTES = 64 * 1024;

test('a body of 64 KiB is read, one byte more is refused', async () => {
  const post = (bytes: number): Promise<Response> => {
    const empty = JSON.stringify({ query: '{ public }', extensions: { pad: '' } });
    return fetch(`${edge.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`) });
  };
  expect((await post(LIMIT_BYTES)).status).toBe(200);
  const refused = await post(LIMIT_BYTES + 1);
  expect(refused.status).toBe(413);
  expect(await refused.json()).toEqual({ errors: [{ message: 'A request has at most 65536 bytes.', extensions: { code: 'BAD_USER_INPUT' } }] });
});

test('a frame of 64 KiB is read, one byte more closes the socket with 1009', async () => {
  const frame = (bytes: number): string => {
    const empty = JSON.stringify({ type: 'ping', payload: { pad: '' } });
    return empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`);
  };
  const raw = await openSocket(edge.url);
  await raw.init();
  raw.sendRaw(frame(LIMIT_BYTES));
  expect((await raw.next()).type).toBe('pong');
  raw.sendRaw(frame(LIMIT_BYTES + 1));
  expect((await raw.closed).code).toBe(1009);
});

test('subscriptions per socket 10: the next is refused, the others run on, and there is room again when one ends', async () => {
  const raw = await openSocket(edge.url);
  await raw.init();
  const start = (id: string): void => raw.send({ type: 'subscribe', id, payload: { query: 'subscription { endless }' } });
  for (let index = 1; index <= 11; index += 1) start(String(index));
  expect(await raw.next()).toMatchObject({ type: 'error', id: '11', payload: [{ message: 'A socket carries at most 10 subscriptions.', extensions: { code: 'BAD_USER_INPUT' } }] });
  raw.send({ type: 'complete', id: '1' });
  start('12');
  start('13');
  expect(await raw.next()).toMatchObject({ type: 'error', id: '13' });
  raw.close();
});

test('sockets per user 5: the sixth takes the place of the oldest, which is closed with 4429; another user is not concerned', async () => {
  const [buyer, other] = await edge.build.buyers(2);
  const connect = async (token: string): Promise<{ raw: RawSocket; answer: { type: string } }> => {
    const raw = await openSocket(edge.url);
    return { raw, answer: await raw.init({ authorization: `Bearer ${token}` }) };
  };
  // One after the other: which is the oldest must be known.
  const open: Awaited<ReturnType<typeof connect>>[] = [];
  while (open.length < 5) open.push(await connect(buyer!.accessToken));
  expect(open.map(({ answer }) => answer.type)).toEqual(Array(5).fill('connection_ack'));
  const someoneElse = await connect(other!.accessToken);
  expect(someoneElse.answer.type).toBe('connection_ack');
  const sixth = await connect(buyer!.accessToken);
  expect(sixth.answer.type).toBe('connection_ack');
  expect(await open[0]!.raw.closed).toEqual({ code: 4429, reason: 'Replaced by a newer connection' });

  open[1]!.raw.close();
  await open[1]!.raw.closed;
  const inItsPlace = await connect(buyer!.accessToken);
  const stay = [...open.slice(2), someoneElse, sixth, inItsPlace];
  for (const { raw } of stay) raw.send({ type: 'ping' });
  for (const { raw } of stay) expect(await raw.next()).toEqual({ type: 'pong' });
  for (const { raw } of stay) raw.close();
});

test('sockets per user 5: one that answers nothing any more holds no place', async () => {
  const buyer = await edge.build.buyer();
  const connect = async (): Promise<RawSocket> => {
    const raw = await openSocket(edge.url);
    expect((await raw.init({ authorization: `Bearer ${buyer.accessToken}` })).type).toBe('connection_ack');
    return raw;
  };
  const sockets: RawSocket[] = [];
  while (sockets.length < 5) sockets.push(await connect());
  for (const { socket } of sockets) socket.pause();
  while (sockets.length < 10) sockets.push(await connect());
  for (const { socket } of sockets) socket.terminate();
});

describe('who does not say in time who it is', () => {
  let silent: Promise<{ code: number; afterMs: number }>;
  // Its time passes beside that of the guests.
  beforeAll(async () => {
    const started = performance.now();
    const raw = await openSocket(edge.url);
    silent = raw.closed.then(({ code }) => ({ code, afterMs: performance.now() - started }));
  });

  test('guests: one without a subscription is closed with 4401 after 5 s, one with a subscription stays, and so does who is signed in', async () => {
    const buyer = await edge.build.buyer();
    const started = performance.now();
    const [idle, reader, user] = await Promise.all([openSocket(edge.url), openSocket(edge.url), openSocket(edge.url)]);
    await Promise.all([idle.init(), reader.init(), user.init({ authorization: `Bearer ${buyer.accessToken}` })]);
    reader.send({ type: 'subscribe', id: '1', payload: { query: 'subscription { endless }' } });
    expect(await idle.closed).toEqual({ code: 4401, reason: 'Sign in to subscribe' });
    expect(performance.now() - started).toBeGreaterThan(4500);
    for (const raw of [reader, user]) raw.send({ type: 'ping' });
    for (const raw of [reader, user]) {
      expect(await raw.next()).toEqual({ type: 'pong' });
      raw.close();
    }
  });

  test('init timeout 3 s: a socket that never says who it is is closed with 4408', async () => {
    const { code, afterMs } = await silent;
    expect(code).toBe(4408);
    expect(afterMs).toBeGreaterThan(2500);
  });
});

test('unacknowledged sockets 1000: one more is answered 503, and one that says who it is makes room', async () => {
  // On a slow machine the time of the first to say who they are would be over before the last have come.
  jest.useFakeTimers({ doNotFake: ['Date', 'hrtime', 'performance', 'nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval'] });
  const waiting: RawSocket[] = [];
  while (waiting.length < 1000) waiting.push(...(await Promise.all(Array.from({ length: 100 }, () => openSocket(edge.url)))));
  const refused = await refusedHandshake(edge.url);
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body: { errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] } });
  await waiting[0]!.init();
  const another = await openSocket(edge.url);
  for (const raw of [...waiting, another]) raw.socket.terminate();
  await Promise.all(waiting.map((raw) => raw.closed));
});
