import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from 'graphql-ws';
import { v7 as uuid } from 'uuid';
import WebSocket from 'ws';
import { Session } from '../../src/database/entities/session.entity.js';
import { keys } from '../../src/redis/keys.js';
import { ErrorEdge } from '../../src/server/errors.js';
import { SocketEdge } from '../../src/server/websocket.js';
import { startEdge, toySchema, type Edge } from '../support/edge.js';
import { websocketClient } from '../support/client.js';
import { openSocket, overSocket, refusedHandshake, socketErrors, type RawSocket } from '../support/raw-socket.js';

/** Loaders seen by each event of `ticks`, and sources that were told to end. */
const seenLoaders: unknown[] = [];
let endlessStarted = 0;
let endlessEnded = 0;

const endless = () => {
  endlessStarted += 1;
  return { next: () => new Promise<never>(() => undefined), return: async () => ({ done: true as const, value: void (endlessEnded += 1) }), [Symbol.asyncIterator]() { return this; } };
};

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({
    'Subscription.ticks': {
      subscribe: async function* (_source, args) {
        for (let index = 1; index <= args['count']; index += 1) yield { value: index };
      },
      resolve: (event, _args, context) => {
        seenLoaders.push(context.loaders);
        return event;
      },
    },
    'Subscription.endless': { subscribe: endless },
    'Subscription.mine': { access: 'signed-in', subscribe: async function* (_source, _args, context) { yield context.viewer!.userId.length; }, resolve: () => 1 },
  });
});
afterAll(() => edge.stop());

const TICK = 'subscription { ticks(count: 1) { value } }';
const subscribe = (id: string, query = TICK): object => ({ type: 'subscribe', id, payload: { query } });

/** The server is well when a new client is served. */
const expectAlive = async (): Promise<void> => {
  expect((await overSocket(edge.url, TICK)).map(({ type }) => type)).toEqual(['next', 'complete']);
};

describe('messages of every wrong kind close the socket with the documented code, and the server lives', () => {
  const afterInit = async (act: (raw: RawSocket) => void): Promise<{ code: number; reason: string }> => {
    const raw = await openSocket(edge.url);
    await raw.init();
    act(raw);
    return raw.closed;
  };

  test.each<[name: string, code: number, act: (raw: RawSocket) => void]>([
    ['text that is not JSON', 4400, (raw) => raw.sendRaw('{')],
    ['an empty frame', 4400, (raw) => raw.sendRaw('')],
    ['a binary frame, whatever is in it', 4400, (raw) => raw.sendRaw(Buffer.from('{"type":"ping"}'))],
    ['JSON that is no object', 4400, (raw) => raw.send([1])],
    ['null', 4400, (raw) => raw.send(null)],
    ['no type', 4400, (raw) => raw.send({ id: '1' })],
    ['a type that is a number', 4400, (raw) => raw.send({ type: 1 })],
    ['an unknown type', 4400, (raw) => raw.send({ type: 'start', id: '1', payload: {} })],
    ["a server's type", 4400, (raw) => raw.send({ type: 'next', id: '1', payload: {} })],
    ["a server's acknowledgement", 4400, (raw) => raw.send({ type: 'connection_ack' })],
    ['a subscription without id', 4400, (raw) => raw.send({ type: 'subscribe', payload: { query: TICK } })],
    ['a subscription with an empty id', 4400, (raw) => raw.send(subscribe(''))],
    ['a subscription with a number for id', 4400, (raw) => raw.send({ ...subscribe('1'), id: 1 })],
    ['a subscription without payload', 4400, (raw) => raw.send({ type: 'subscribe', id: '1' })],
    ['a subscription without query', 4400, (raw) => raw.send({ type: 'subscribe', id: '1', payload: {} })],
    ['variables that are text', 4400, (raw) => raw.send({ type: 'subscribe', id: '1', payload: { query: TICK, variables: '{}' } })],
    ['an id in use', 4409, (raw) => [1, 2].forEach(() => raw.send(subscribe('1', 'subscription { endless }')))],
    ['a second init', 4429, (raw) => raw.send({ type: 'connection_init' })],
    ['a frame that is too large', 1009, (raw) => raw.sendRaw('x'.repeat(70_000))],
    ['text that is not UTF-8', 1007, (raw) => raw.socket.send(Buffer.from([0xc3, 0x28]), { binary: false })],
  ])('%s: %i', async (_name, code, act) => {
    expect((await afterInit(act)).code).toBe(code);
    await expectAlive();
  });

  test('subscribing before init: 4401', async () => {
    const raw = await openSocket(edge.url);
    raw.send(subscribe('1'));
    expect((await raw.closed).code).toBe(4401);
  });

  test('another subprotocol, or none: 4406', async () => {
    const raw = await openSocket(edge.url, { subprotocol: '' });
    expect((await raw.closed).code).toBe(4406);
    await expect(openSocket(edge.url, { subprotocol: 'graphql-ws' })).rejects.toThrow();
  });

  test('another path: 404 before it opens', async () => {
    expect(await refusedHandshake(edge.url, { path: '/graphiql' })).toMatchObject({ status: 404, body: { errors: [{ extensions: { code: 'NOT_FOUND' } }] } });
  });

  test('a ping is answered with a pong, and completing what never began does nothing', async () => {
    const raw = await openSocket(edge.url);
    await raw.init();
    raw.send({ type: 'complete', id: 'never' });
    raw.send({ type: 'pong' });
    raw.send({ type: 'ping', payload: { a: 1 } });
    expect(await raw.next()).toEqual({ type: 'pong', payload: { a: 1 } });
    raw.close();
  });

  test('nothing of it reached the log as a fault', () => {
    expect(edge.log().filter((line) => line['level'] === 50)).toEqual([]);
  });
});

describe('connecting', () => {
  test('the acknowledgement carries the request id that our log has', async () => {
    const raw = await openSocket(edge.url, { headers: { 'x-request-id': 'ws-1' } });
    expect(await raw.init()).toEqual({ type: 'connection_ack', payload: { requestId: 'ws-1' } });
    raw.close();
  });

  test.each([{ authorization: 5 }, { authorization: ['Bearer x'] }, { queueToken: {} }])('parameters of the wrong type (%j): 4400', async (params) => {
    const raw = await openSocket(edge.url);
    expect(await raw.init(params)).toEqual({ code: 4400, reason: 'authorization and queueToken must be strings' });
  });

  test('a token that is forged, of another kind, expired, or no token at all: 4403', async () => {
    const buyer = await edge.build.buyer();
    const place = { concertId: uuid(), userId: buyer.id, place: 1 };
    const long = new Date(Date.now() - 86_400_000);
    const tokens = [
      `${buyer.accessToken.slice(0, -4)}AAAA`,
      await edge.app.tokens.signQueue(place, new Date()),
      (await edge.app.tokens.signAccess({ id: buyer.id, role: 'USER' }, buyer.sessionId, long)).token,
      'x'.repeat(10_000),
    ];
    for (const authorization of [...tokens.map((token) => `Bearer ${token}`), 'Basic abc', buyer.accessToken]) {
      const raw = await openSocket(edge.url);
      expect(await raw.init({ authorization })).toEqual({ code: 4403, reason: 'Forbidden' });
    }
  });

  test('a guest connects; what needs a user answers UNAUTHENTICATED', async () => {
    const [error] = await socketErrors(edge.url, 'subscription { mine }');
    expect(error.extensions).toEqual({ code: 'UNAUTHENTICATED' });
    const buyer = await edge.build.buyer();
    expect(await overSocket(edge.url, 'subscription { mine }', {}, { authorization: `Bearer ${buyer.accessToken}` })).toEqual([
      { id: '1', type: 'next', payload: { data: { mine: 1 } } },
      { id: '1', type: 'complete' },
    ]);
  });
});

describe('operations', () => {
  test('queries and mutations belong to HTTP: BAD_USER_INPUT, and the socket stays', async () => {
    for (const query of ['{ public }', 'mutation { add(amount: 1) }']) {
      const [error] = await socketErrors(edge.url, query);
      expect(error).toEqual({ message: 'The websocket is for subscriptions; send queries and mutations over HTTP.', extensions: { code: 'BAD_USER_INPUT' } });
    }
  });

  test('an operation that the document does not have is the client’s mistake', async () => {
    const raw = await openSocket(edge.url);
    await raw.init();
    raw.send({ type: 'subscribe', id: '1', payload: { query: `subscription A { endless } subscription B { endless }`, operationName: 'C' } });
    expect(await raw.next()).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'BAD_USER_INPUT', field: 'operationName' } }] });
    raw.close();
  });

  test('every event gets loaders of its own', async () => {
    seenLoaders.length = 0;
    await overSocket(edge.url, 'subscription { ticks(count: 3) { value } }');
    expect(new Set(seenLoaders).size).toBe(3);
  });

  test('closing the socket, or completing, ends the source at once though it waits for an event', async () => {
    const before = endlessEnded;
    const raw = await openSocket(edge.url);
    await raw.init();
    raw.send(subscribe('1', 'subscription { endless }'));
    raw.send(subscribe('2', 'subscription { endless }'));
    raw.send({ type: 'complete', id: '1' });
    raw.send({ type: 'ping' });
    await raw.next();
    raw.close();
    await raw.closed;
    await expectAlive();
    expect(endlessStarted).toBeGreaterThanOrEqual(2);
    expect(endlessEnded - before).toBe(2);
    expect(await edge.app.metrics.registry.getSingleMetricAsString('frontrow_subscriptions_open')).toMatch(/field="endless"\} 0/);
  });
});

describe('the end of a token is the end of its sockets', () => {
  const signedIn = async (accessToken: string): Promise<RawSocket> => {
    const raw = await openSocket(edge.url);
    expect((await raw.init({ authorization: `Bearer ${accessToken}` })).type).toBe('connection_ack');
    raw.send(subscribe('1', 'subscription { endless }'));
    return raw;
  };

  test('when it expires: 4403', async () => {
    const buyer = await edge.build.buyer();
    // Issued so long ago that 2 to 3 s are left of it.
    const issuedAt = new Date(Date.now() - edge.app.config.accessTokenTtlMs + 3000);
    const { token } = await edge.app.tokens.signAccess({ id: buyer.id, role: 'USER' }, buyer.sessionId, issuedAt);
    const raw = await signedIn(token);
    expect(await raw.closed).toEqual({ code: 4403, reason: 'Access token expired' });
  });

  test("when its session is signed out: 4403, on that session's sockets only", async () => {
    const [buyer, other] = await edge.build.buyers(2);
    const [mine, others] = [await signedIn(buyer!.accessToken), await signedIn(other!.accessToken)];
    await edge.app.services.sessions.signOut({ userId: buyer!.id, role: 'USER', sessionId: buyer!.sessionId, tokenExpiresAt: new Date() });
    expect(await mine.closed).toEqual({ code: 4403, reason: 'Signed out' });
    others.send({ type: 'ping' });
    expect((await others.next()).type).toBe('pong');
    others.close();
  });
});

test('a sign-out whose message was lost closes the socket with 4403 when sessions are looked up again', async () => {
  const http = createServer();
  const sockets = new SocketEdge(edge.app, toySchema({}), new ErrorEdge(edge.app.logger, false));
  await sockets.attach(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const [buyer, other] = await edge.build.buyers(2);
  const [mine, others] = await Promise.all([openSocket(url), openSocket(url)]);
  await mine.init({ authorization: `Bearer ${buyer!.accessToken}` });
  await others.init({ authorization: `Bearer ${other!.accessToken}` });

  await edge.app.transactions.fork().nativeUpdate(Session, { id: buyer!.sessionId }, { revokedAt: new Date() });
  await edge.app.redis.del(keys.session(await edge.app.redisRun.current(), buyer!.sessionId));
  await sockets.recheckSessions();

  expect(await mine.closed).toEqual({ code: 4403, reason: 'Forbidden' });
  others.send({ type: 'ping' });
  expect((await others.next()).type).toBe('pong');
  await sockets.close(1000);
  expect((await others.closed).code).toBe(1001);
  http.close();
});

test('the graphql-ws client tries 4403 again and takes 4429 for final: live tabs do not push each other out for ever', async () => {
  const buyer = await edge.build.buyer();
  const tries: string[] = [];
  const client = createClient({
    url: `${edge.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 3,
    retryWait: () => Promise.resolve(),
    connectionParams: () => {
      tries.push('try');
      return { authorization: `Bearer ${tries.length === 1 ? 'expired' : buyer.accessToken}` };
    },
  });
  const results: unknown[] = [];
  for await (const result of client.iterate({ query: 'subscription { mine }' })) results.push(result.data);
  expect(results).toEqual([{ mine: 1 }]);
  expect(tries).toHaveLength(2);
  await client.dispose();

  const oldest = websocketClient(edge.url, buyer, { retryAttempts: 5, retryWait: () => Promise.resolve() });
  let closings = 0;
  oldest.on('closed', () => (closings += 1));
  const connected = new Promise((resolve) => oldest.on('connected', resolve));
  const replaced = expect(oldest.iterate({ query: 'subscription { endless }' }).next()).rejects.toMatchObject({ code: 4429 });
  await connected;
  const newer = Array.from({ length: 5 }, () => websocketClient(edge.url, buyer, { lazy: false, retryAttempts: 0 }));
  await Promise.all(newer.map((one) => new Promise((resolve) => one.on('connected', resolve))));
  await replaced;
  expect(closings).toBe(1);
  await Promise.all(newer.map((one) => one.dispose()));
});
