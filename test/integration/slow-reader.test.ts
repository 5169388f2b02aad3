import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ErrorEdge } from '../../src/server/errors.js';
import { SOCKET_BACKLOG_MAX_BYTES } from '../../src/server/limits.js';
import { PING_TURNS, SocketEdge } from '../../src/server/websocket.js';
import { startEdge, toySchema, type Edge, type ToyFields } from '../support/edge.js';
import { eventually } from '../support/eventually.js';
import { openSocket, type RawSocket } from '../support/raw-socket.js';

/** Who reads slowly, or not at all, keeps neither memory nor anybody else. */

/** Long names make long messages, and soon fill what lies between two processes. */
const QUERY = `subscription { ticks(count: 1) { ${Array.from({ length: 18 }, (_, index) => `${'x'.repeat(3000)}${index}: value`).join(' ')} } }`;
const MESSAGE_BYTES = 18 * 3000;
const STILL_POLLS = 40;

let taken = 0;
let ended = 0;
const counting = () => ({
  next: async () => ({ done: false as const, value: { value: (taken += 1) } }),
  return: async () => ({ done: true as const, value: void (ended += 1) }),
  [Symbol.asyncIterator]() {
    return this;
  },
});
const never = () => ({ ...counting(), next: () => new Promise<never>(() => undefined) });
const FIELDS: ToyFields = {
  'Subscription.ticks': { eventAsIs: 'own', subscribe: counting },
  'Subscription.endless': { subscribe: never },
};

let edge: Edge;
/** Sockets on a server of their own, whose turns this file takes itself. */
let sockets: SocketEdge;
let http: Server;
let url: string;
beforeAll(async () => {
  edge = await startEdge(FIELDS);
  sockets = new SocketEdge(edge.app, toySchema(FIELDS), new ErrorEdge(edge.app.logger, false));
  http = createServer();
  await sockets.attach(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await sockets.close(0);
  http.close();
  await edge.stop();
});
beforeEach(() => {
  taken = 0;
  ended = 0;
});

async function subscribed(query: string): Promise<RawSocket> {
  const raw = await openSocket(url);
  await raw.init();
  raw.send({ type: 'subscribe', id: '1', payload: { query } });
  return raw;
}

/** Waits until no event has been taken for a while of looking. */
async function untilStill(): Promise<number> {
  let [last, still] = [-1, 0];
  await eventually(() => {
    still = taken === last ? still + 1 : 0;
    last = taken;
    return last > 0 && still > STILL_POLLS;
  }, 'the source to be left alone');
  return last;
}

test('Q3: the next event is taken when the reader has the one before, so nothing piles up for who does not read, and nothing is lost or out of order', async () => {
  const raw = await subscribed(QUERY);
  raw.socket.pause();
  const before = await untilStill();
  // More than that lies in the buffers of the system, which are not ours.
  expect(before * MESSAGE_BYTES).toBeLessThan(64 * 1024 * 1024);
  raw.socket.resume();
  for (let number = 1; number <= before; number += 1) {
    const { payload } = await raw.next();
    expect(Object.values(payload.data.ticks)[17]).toBe(number);
  }
  await eventually(() => taken > before, 'more events to be taken');
  raw.socket.terminate();
  await eventually(() => ended === 1, 'the source to end');
});

test('Q3: who answers no ping is dropped with the next, with everything that was kept for it; who answers stays', async () => {
  const round = (): void => {
    for (let turn = 0; turn < PING_TURNS; turn += 1) sockets.pingSome();
  };
  const [deaf, reader] = [await subscribed(QUERY), await subscribed('subscription { endless }')];
  deaf.socket.pause();
  await untilStill();
  round();
  // Its answer to our ping goes ahead of its own.
  reader.send({ type: 'ping' });
  expect((await reader.next()).type).toBe('pong');
  expect(ended).toBe(0);
  round();
  await eventually(() => ended === 1, 'the deaf one to be dropped');
  reader.send({ type: 'ping' });
  expect((await reader.next()).type).toBe('pong');
  reader.close();
  deaf.socket.terminate();
  await eventually(() => ended === 2, 'the end of the reader');
});

test(`answers pile up to ${SOCKET_BACKLOG_MAX_BYTES} bytes for who asks and does not read, then it is dropped`, async () => {
  const raw = await subscribed('subscription { endless }');
  raw.socket.pause();
  const payload = { text: 'x'.repeat(50_000) };
  await eventually(() => {
    raw.send({ type: 'ping', payload });
    return ended === 1;
  }, 'the socket to be dropped');
  raw.socket.terminate();
});
