import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { startProxy, type Proxy } from '../../drills/support/proxy.js';
import { eventually } from '../support/eventually.js';

/** Answers each line with the same line in capitals, and knows what has reached it. */
let server: Server;
let reached: string;
let atServer: Socket[];
let proxy: Proxy;
let clients: Socket[];

const DELAY_MS = 60;

beforeEach(async () => {
  [reached, atServer, clients] = ['', [], []];
  server = createServer((socket) => {
    atServer.push(socket.on('error', () => undefined));
    socket.on('data', (data) => {
      reached += data.toString();
      socket.write(data.toString().toUpperCase());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await startProxy({ port: (server.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  await proxy.close();
  server.close();
});

interface Client {
  socket: Socket;
  received(): string;
  /** The error's code, or '' for an orderly end. */
  closed: Promise<string>;
}

async function client(): Promise<Client> {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  let [received, code] = ['', ''];
  socket.on('data', (data) => (received += data.toString())).on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? ''));
  const closed = once(socket, 'close').catch(() => undefined).then(() => code);
  await once(socket, 'connect');
  return { socket, received: () => received, closed };
}

const talks = async ({ socket, received }: Client, line: string): Promise<void> => {
  socket.write(line);
  await eventually(() => received().includes(line.toUpperCase()), line);
};

/** What was written before has gone as far as it goes when a connection that is not touched has answered. */
async function allHasGoneItsWay(): Promise<void> {
  const other = await startProxy({ port: (server.address() as AddressInfo).port });
  const direct = connect(other.port, '127.0.0.1');
  direct.write('direct');
  await once(direct, 'data');
  direct.destroy();
  await other.close();
}

test('passes everything in both directions, also more than fits into a buffer, and the end of it', async () => {
  const one = await client();
  const long = 'a'.repeat(5_000_000);
  one.socket.write(long);
  one.socket.end('z');
  expect(await one.closed).toBe('');
  expect(reached).toBe(`${long}z`);
  expect(one.received()).toBe(`${long}z`.toUpperCase());
  await eventually(() => proxy.connections() === 0, 'the proxy to know of the end');
});

test('a black hole swallows what open and new connections say, and keeps them open; afterwards those are reset and new ones work', async () => {
  const open = await client();
  await talks(open, 'before');
  proxy.mode({ kind: 'blackHole' });
  const fresh = await client();
  open.socket.write('swallowed');
  fresh.socket.write('swallowed');
  atServer[0]!.write('nobody hears this');
  await allHasGoneItsWay();
  expect(reached).not.toContain('swallowed');
  expect([open.received(), fresh.received()]).toEqual(['BEFORE', '']);
  expect([open.socket.destroyed, fresh.socket.destroyed]).toEqual([false, false]);
  proxy.mode({ kind: 'pass' });
  expect(await Promise.all([open.closed, fresh.closed])).toEqual(['ECONNRESET', 'ECONNRESET']);
  await talks(await client(), 'after');
});

test('a server does not hear through a black hole that its client has gone', async () => {
  const open = await client();
  await talks(open, 'before');
  proxy.mode({ kind: 'blackHole' });
  const gone = once(atServer[0]!, 'close');
  open.socket.destroy();
  await open.closed;
  expect(atServer[0]!.destroyed).toBe(false);
  proxy.mode({ kind: 'pass' });
  await gone;
});

test('a reset breaks open connections and new ones, until it passes again', async () => {
  const open = await client();
  await talks(open, 'before');
  proxy.mode({ kind: 'reset' });
  expect(await open.closed).toBe('ECONNRESET');
  const fresh = connect(proxy.port, '127.0.0.1');
  const [error] = (await once(fresh, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
  proxy.mode({ kind: 'pass' });
  await talks(await client(), 'after');
});

test('with replies dropped requests arrive and nothing comes back', async () => {
  const open = await client();
  await talks(open, 'before');
  proxy.mode({ kind: 'dropReplies' });
  const fresh = await client();
  open.socket.write('one.');
  fresh.socket.write('two.');
  await eventually(() => reached.includes('one.') && reached.includes('two.'), 'both');
  await allHasGoneItsWay();
  expect([open.received(), fresh.received()]).toEqual(['BEFORE', '']);
  proxy.mode({ kind: 'pass' });
  expect(await Promise.all([open.closed, fresh.closed])).toEqual(['ECONNRESET', 'ECONNRESET']);
});

test('a delay holds both directions up, in order, also on open connections; its end lets what waits through at once', async () => {
  const open = await client();
  await talks(open, 'before');
  proxy.mode({ kind: 'delay', ms: DELAY_MS });
  const from = performance.now();
  for (const letter of 'abcdefgh') open.socket.write(letter);
  await eventually(() => open.received() === 'BEFOREABCDEFGH', 'all letters in order');
  expect(performance.now() - from).toBeGreaterThanOrEqual(2 * DELAY_MS - 2);
  proxy.mode({ kind: 'delay', ms: 600_000 });
  open.socket.write('late');
  proxy.mode({ kind: 'pass' });
  await talks(open, '.after');
  expect(reached).toBe('beforeabcdefghlate.after');
});

test('without an upstream, and with one that is not there, connections are reset; a new upstream takes the next one', async () => {
  const { port } = server.address() as AddressInfo;
  for (const nowhere of [null, { path: '/nowhere/at-all.sock' }]) {
    proxy.to(nowhere);
    const refused = connect(proxy.port, '127.0.0.1');
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  }
  proxy.to({ port });
  await talks(await client(), 'again');
});
