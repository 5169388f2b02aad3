import { Wallet } from '../../src/database/entities/wallet.entity.js';
import { startEdge, type Edge } from '../support/edge.js';
import { startFrontrow } from '../support/frontrow.js';
import { openSocket } from '../support/raw-socket.js';
import { timed } from '../support/timed.js';

/** A request that runs until the test lets it end. */
function gate() {
  let open!: () => void;
  let entered!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const begun = new Promise<void>((resolve) => (entered = resolve));
  return { open, begun, pass: async () => (entered(), await opened, 7) };
}

const edges: Edge[] = [];
const start = async (pass: () => Promise<number>, env: Record<string, string> = {}): Promise<Edge> => {
  const edge = await startEdge({ 'Query.wait': { resolve: pass } }, env);
  edges.push(edge);
  return edge;
};
afterAll(async () => {
  for (const edge of edges) await edge.app.close();
});

// First, so that nothing else of this process has timers that end meanwhile.
test('what has stopped keeps no timer that would keep the process', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  const live = await startFrontrow({ worker: true });
  await live.stop();
  expect(timers()).toBeLessThanOrEqual(before);
});

test('a server that stops answers what runs, closes sockets with 1001, and takes nothing new', async () => {
  const running = gate();
  const edge = await start(running.pass);
  const answer = edge.client.raw('{ wait }', {});
  const socket = await openSocket(edge.url);
  await socket.init();
  await running.begun;

  let closed = false;
  const closing = edge.server.close().then(() => (closed = true));
  expect(await socket.closed).toEqual({ code: 1001, reason: 'Going away' });
  await expect(fetch(`${edge.url}/health/live`)).rejects.toThrow();
  expect(closed).toBe(false);

  const { result, ownMs } = await timed(() => (running.open(), Promise.all([answer, closing])));
  expect(result[0]).toMatchObject({ status: 200, data: { wait: 7 } });
  expect(ownMs).toBeLessThan(3000);
});

test('a request that does not end is cut off after SHUTDOWN_TIMEOUT_MS, and so is a socket that does not answer', async () => {
  const stuck = gate();
  const edge = await start(stuck.pass, { SHUTDOWN_TIMEOUT_MS: '300' });
  const answer = edge.client.raw('{ wait }', {}).catch((error: unknown) => error);
  const deaf = await openSocket(edge.url);
  await deaf.init();
  await stuck.begun;
  deaf.socket.pause();

  const { ms } = await timed(edge.server.close);
  expect(ms).toBeGreaterThanOrEqual(290);
  expect(ms).toBeLessThan(5000);
  expect(await answer).toMatchObject({ message: 'fetch failed' });
  deaf.socket.terminate();
  stuck.open();
});

test('a connection that was kept alive does not hold the end up', async () => {
  const edge = await start(() => Promise.resolve(1));
  await edge.client.raw('{ public }', {});
  const { ownMs } = await timed(edge.server.close);
  expect(ownMs).toBeLessThan(3000);
});

test('what still runs when the database is closed fails, and opens no connection to it', async () => {
  const { app, server } = await startEdge();
  const [reading, writing] = [app.transactions.fork(), app.transactions.fork()];
  await reading.execute('select 1');
  await server.close();
  await app.close();
  await expect(reading.execute('select 1')).rejects.toThrow('The database is closed.');
  await expect(reading.findOne(Wallet, { userId: 'none' })).rejects.toThrow('The database is closed.');
  await expect(writing.transactional((em) => em.execute('select 1'))).rejects.toThrow('The database is closed.');
});
