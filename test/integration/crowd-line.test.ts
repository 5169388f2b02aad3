import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { remainingMs } from '../../src/domain/deadline.js';
import { GIVEN_UP_AFTER_MS, REQUEST_DEADLINE_MS } from '../../src/server/limits.js';
import { BEGUN_PER_TURN_MAX, IN_LINE_MAX } from '../../src/server/turns.js';
import { startEdge, type Edge } from '../support/edge.js';
import { timed } from '../support/timed.js';

/** The line in which a crowd waits to begin, while the process is busy with other things. */

const WAIT = '{ wait }';
const PUBLIC = '{ public }';

/** Of each that was begun, how long it still has. */
let left: number[] = [];
let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({ 'Query.wait': { resolve: () => (left.push(remainingMs()), new Promise(() => undefined)) } });
  for (const query of [WAIT, PUBLIC]) edge.server.known!.teach(query);
});
afterAll(() => edge.stop());
beforeEach(() => (left = []));

async function open(): Promise<Socket> {
  const { hostname, port } = new URL(edge.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  return socket;
}

const requests = (query: string, count: number): string => {
  const body = JSON.stringify({ query });
  return `POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(count);
};

/** Keeps the process from its other work for so long in each turn, until it is stopped. */
function keepBusy(ms: number): () => void {
  let isWanted = true;
  const turn = (): void => {
    for (const until = performance.now() + ms; performance.now() < until; );
    if (isWanted) setImmediate(turn);
  };
  setImmediate(turn);
  return () => (isWanted = false);
}

/** The statuses of so many answers. */
function answersOf(socket: Socket, count: number): Promise<number[]> {
  const statuses: number[] = [];
  const { promise, resolve } = Promise.withResolvers<number[]>();
  let rest = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split('\r\n');
    rest = lines.pop()!;
    // A body has no end of line of its own: the next answer begins on the same one.
    for (const line of lines) statuses.push(...[...line.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status)));
    if (statuses.length >= count) resolve(statuses);
  });
  return promise;
}

test('what somebody stood in line counts: the last of a crowd is answered by the same deadline as the first', async () => {
  // Few, for all of them are answered at one moment, and long turns: the last have waited for longer than the deadline leaves for the answer.
  const [turns, turnMs] = [3, 500];
  const count = (turns - 1) * BEGUN_PER_TURN_MAX + 8;
  const socket = await open();
  const stop = keepBusy(turnMs);
  const answers = answersOf(socket, count);
  socket.write(requests(WAIT, count));
  while (left.length < count) await new Promise((resolve) => setImmediate(resolve));
  stop();
  const { result: statuses, stoodMs } = await timed(() => answers);
  expect(new Set(statuses)).toEqual(new Set([503]));
  // From its arrival to its answer.
  const took = edge.log().flatMap(({ msg, ms }) => (msg === 'answered' ? Number(ms) : []));
  expect(took).toHaveLength(count);
  expect(Math.max(...took) - stoodMs).toBeLessThan(REQUEST_DEADLINE_MS);
  expect(Math.min(...left)).toBeLessThan(GIVEN_UP_AFTER_MS - (turns / 2) * turnMs);
  socket.destroy();
});

test('who has gone before the turn came is not begun', async () => {
  const count = 10 * BEGUN_PER_TURN_MAX;
  const [gone, other] = [await open(), await open()];
  const stop = keepBusy(20);
  gone.end(requests(WAIT, count));
  await once(gone.resume(), 'close');
  const answers = answersOf(other, 1);
  other.write(requests(PUBLIC, 1));
  expect(await answers).toEqual([200]);
  stop();
  expect(left.length).toBeGreaterThan(0);
  expect(left.length).toBeLessThan(count);
  other.destroy();
});

test('the line has an end: who comes then is turned away at once, and told to repeat it', async () => {
  const count = IN_LINE_MAX / 5;
  const sockets = await Promise.all(Array.from({ length: 6 }, open));
  const answers = Promise.all(sockets.map((socket) => answersOf(socket, count)));
  for (const socket of sockets) socket.write(requests(PUBLIC, count));
  const statuses = (await answers).flat();
  const refused = statuses.filter((status) => status === 503).length;
  expect(refused).toBeGreaterThan(0);
  expect(statuses.filter((status) => status === 200)).toHaveLength(6 * count - refused);
  for (const socket of sockets) socket.destroy();
});
