import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectDatabase } from '../../src/database/orm.config.js';
import { runningDatabase } from '../../src/launcher/own-stores.js';
import { graphqlClient } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { childrenOf, commandOf, endAll, ensureBuilt, failingStart, spawnFrontrow, startProcess, type FrontrowProcess } from '../support/process.js';

const folder = mkdtempSync(join(tmpdir(), 'frontrow-start-'));
const DATA_DIR = join(folder, 'data');
const account = { email: 'somebody@example.com', password: 'a-long-password', name: 'Somebody' };
const SIGN_UP = 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }';
const SIGN_IN = 'mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }';
const servers = (frontrow: FrontrowProcess): number[] => childrenOf(frontrow.pid).filter((pid) => /mariadbd|redis-server/.test(commandOf(pid)));
const gone = (pids: number[]): Promise<true> => eventually(() => pids.every((pid) => commandOf(pid) === ''), 'the servers to end');
const signIn = async (frontrow: FrontrowProcess): Promise<string> => {
  const { email, password } = account;
  return (await graphqlClient(frontrow.url).raw(SIGN_IN, { input: { email, password } })).data.signIn.__typename;
};

let frontrow: FrontrowProcess;
beforeAll(async () => {
  ensureBuilt();
  frontrow = await startProcess({ DATA_DIR, NODE_ENV: 'development' });
}, 60_000);
afterAll(async () => {
  await endAll();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

test('O2: a start without any store runs its own MariaDB and Redis, and says what to try', async () => {
  expect(servers(frontrow)).toHaveLength(2);
  await eventually(() => frontrow.output().includes('Stop with Ctrl-C'), 'the end of the greeting');
  const output = frontrow.output();
  expect(output).toContain('Creating the database …');
  expect(output).toContain(`${frontrow.url}/graphiql`);
  expect(output).toContain('demo@example.com / demo-password');
  expect(output).toContain('admin@example.com / admin-password');
  expect(output).toContain(`curl -s ${frontrow.url}/graphql`);
  expect((await graphqlClient(frontrow.url).raw('{ concerts { nodes { title } } }', {})).data.concerts.nodes.length).toBeGreaterThan(0);
});

test('the tour buys two seats from it', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/tour.ts', frontrow.url], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/queuePosition +ACTIVE until .*\n(.*\n)*reserve +HELD until .*\n.*charge .*\n.*pay +PAID .*\nme +CONFIRMED: seats 1, 2\n$/);
});

test('an account is made an admin by a command beside the running server, and its next access token says so', async () => {
  const asAdmin = async (token: string): Promise<string> => {
    const { data, errors } = await graphqlClient(frontrow.url).raw('{ venues { nodes { id } } }', {}, { accessToken: token });
    return errors?.[0]?.extensions.code ?? (data.venues ? 'ADMIN' : '');
  };
  const input = { email: 'operator@example.com', password: 'a-long-password', name: 'Operator' };
  const promoted = (...args: string[]): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/promote.js', ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'], DATA_DIR } });
    return { status, output: stdout + stderr };
  };
  expect(promoted()).toEqual({ status: 1, output: 'Say whom: npm run promote -- someone@example.com\n' });
  expect(promoted('nobody')).toEqual({ status: 1, output: 'Not a valid e-mail address.\n' });
  expect(promoted(input.email)).toEqual({ status: 1, output: `There is no account of ${input.email}. Sign up with it first.\n` });
  const signUp = 'mutation ($input: SignUpInput!) { signUp(input: $input) { ... on Session { accessToken refreshToken } } }';
  const { accessToken, refreshToken } = (await graphqlClient(frontrow.url).raw(signUp, { input })).data.signUp;
  expect(await asAdmin(accessToken)).toBe('FORBIDDEN');
  expect(promoted('Operator@Example.com')).toEqual({ status: 0, output: expect.stringMatching(/^operator@example\.com is an admin\./) });
  expect(promoted(input.email).status).toBe(0);
  const refresh = 'mutation ($token: String!) { refreshSession(refreshToken: $token) { accessToken } }';
  expect(await asAdmin((await graphqlClient(frontrow.url).raw(refresh, { token: refreshToken })).data.refreshSession.accessToken)).toBe('ADMIN');
});

test('where nothing runs, the command that makes admins says what to do', () => {
  const DATA_DIR = join(folder, 'idle');
  const { status, stderr } = spawnSync(process.execPath, ['dist/promote.js', 'somebody@example.com'], { encoding: 'utf8', env: { DATA_DIR } });
  expect({ status, stderr }).toEqual({ status: 1, stderr: `No database of Frontrow's own runs on the data in ${DATA_DIR}. Start Frontrow, or set DATABASE_URL to the database that it uses.\n` });
});

test('what must always be true is checked by a command beside the running server, whose exit code tells how it is', async () => {
  const checked = (env: Record<string, string>, ...args: string[]): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/invariants.js', ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } });
    return { status, output: stdout + stderr };
  };
  expect(checked({ DATA_DIR }, '--settled', '--redis')).toEqual({ status: 0, output: expect.stringMatching(/^(ok .* ms\)\n){20,}All \d+ invariants are true\.\n$/) });
  const orm = await connectDatabase(runningDatabase(DATA_DIR), { poolMax: 1 });
  const change = (by: number) => orm.em.getConnection().execute('update wallet set balance = balance + ? limit 1', [by]);
  await change(1);
  expect(checked({ DATA_DIR })).toEqual({ status: 1, output: expect.stringMatching(/^VIOLATED +balance-is-ledger .*; rows: 1\n +\{"user_id":".*\n(.*\n)*1 of \d+ invariants are violated\.\n$/m) });
  await change(-1);
  await orm.close();
  expect(checked({ DATA_DIR }).status).toBe(0);
  expect(checked({ DATA_DIR }, '--soon')).toEqual({ status: 2, output: 'The only options are --settled and --redis: npm run invariants -- --settled --redis\n' });
  expect(checked({ DATA_DIR: join(folder, 'idle') }).status).toBe(2);
});

test('a process that only works tells where its health and metrics are', async () => {
  const worker = await startProcess({ DATA_DIR: join(folder, 'worker'), ROLES: 'worker' });
  expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
  expect((await fetch(`${worker.url}/metrics`)).status).toBe(200);
  expect(worker.output()).not.toContain('Demo accounts');
  await worker.end();
});

test('a second start on the same data says so and stops; the first goes on', async () => {
  const { code, output } = await failingStart({ DATA_DIR });
  expect(code).toBe(1);
  expect(output.trim()).toBe(`Another Frontrow is running on the data in ${DATA_DIR}. Stop it, or set DATA_DIR to another folder.`);
  expect((await graphqlClient(frontrow.url).raw(SIGN_UP, { input: account })).data.signUp.__typename).toBe('Session');
});

test('killed, it takes its servers along; the next start finds every commit', async () => {
  const pids = servers(frontrow);
  expect(await frontrow.end('SIGKILL')).toBe('SIGKILL');
  // At once, while the servers may still be writing: it waits for them.
  frontrow = await startProcess({ DATA_DIR });
  await gone(pids);
  expect(servers(frontrow)).toHaveLength(2);
  expect(await signIn(frontrow)).toBe('Session');
});

test.each(['SIGTERM', 'SIGINT'] as const)('on %s it stops in order and keeps the data', async (signal) => {
  const pids = servers(frontrow);
  expect(await frontrow.end(signal)).toBe(0);
  expect(pids.filter((pid) => commandOf(pid) !== '')).toEqual([]);
  expect(frontrow.output()).toContain('Stopped.');
  frontrow = await startProcess({ DATA_DIR });
  expect(await signIn(frontrow)).toBe('Session');
});

test('a second signal ends it at once, with its servers; the same one sent twice does not', async () => {
  const pids = servers(frontrow);
  const { hostname, port } = new URL(frontrow.url);
  const unfinished = connect(Number(port), hostname);
  unfinished.on('error', () => undefined);
  unfinished.write('POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{');
  await once(unfinished, 'connect');
  const { child } = frontrow;
  child.kill('SIGINT');
  child.kill('SIGINT');
  await eventually(() => frontrow.output().includes('Stopping'), 'the stop to begin');
  expect(child.exitCode).toBeNull();
  await eventually(() => child.exitCode !== null || (child.kill('SIGINT') && false), 'the end');
  expect(child.exitCode).toBe(130);
  unfinished.destroy();
  await gone(pids);
  frontrow = await startProcess({ DATA_DIR });
});

test('killed, it takes its servers along even where they can write nothing any more', async () => {
  const data = join(folder, 'lost');
  const lost = await startProcess({ DATA_DIR: data });
  const pids = servers(lost);
  await graphqlClient(lost.url).raw(SIGN_UP, { input: account });
  rmSync(data, { recursive: true, force: true, maxRetries: 10 });
  await lost.end('SIGKILL');
  await gone(pids);
});

test('a port in use is one clear line, and no server is left behind', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  const data = join(folder, 'second');
  const { code, output } = await failingStart({ DATA_DIR: data, PORT: port });
  taken.close();
  expect(code).toBe(1);
  expect(output).toContain(`Port ${port} is in use by another program. Stop that, or set PORT to another port (0 takes a free one).\n`);
  expect(output).not.toContain('    at ');
  // The lock is free again: the servers have ended before the exit.
  const again = await startProcess({ DATA_DIR: data });
  expect(again.output()).not.toContain('still ending');
  await again.end();
});

test('a machine without the servers and without packages to fetch is told of docker compose', async () => {
  const bare = join(folder, 'bare');
  mkdirSync(bare);
  const { code, output } = await failingStart({ DATA_DIR: join(folder, 'third'), PATH: bare, XDG_CACHE_HOME: bare });
  expect(code).toBe(1);
  expect(output).toContain('Frontrow needs MariaDB and Redis, which is not on this machine, and there is no apt-get to fetch it with.');
  expect(output).toContain('docker compose up');
  expect(output).not.toContain('    at ');
});

test('a database that is not there is one clear line', async () => {
  const env = { DATABASE_URL: 'mysql://nobody:secret@127.0.0.1:1/frontrow', REDIS_URL: 'redis://127.0.0.1:1', AUTH_SECRET: 'a-secret-for-tests-only-0123456789' };
  const { code, output } = await failingStart(env);
  expect(code).toBe(1);
  expect(output).toContain('The database or Redis cannot be reached');
  expect(output).not.toContain('secret');
  expect(output).not.toContain('    at ');
});

test('mistakes of the configuration are told together, before anything starts', async () => {
  const { code, output } = await failingStart({ DATA_DIR: join(folder, 'never'), PORT: 'x', HOLD_TTL_MS: '0', NODE_ENV: 'live' });
  expect(code).toBe(1);
  expect(output).toMatch(/^The configuration has 3 mistakes:\n(  - (PORT|HOLD_TTL_MS|NODE_ENV) .*\n){3}$/);
});

test('a .env file is read; the environment wins over it', async () => {
  const cwd = join(folder, 'with-env');
  mkdirSync(cwd);
  writeFileSync(join(cwd, '.env'), 'QUEUE_TICK_MS=from-file\nHOLD_TTL_MS=from-file\n');
  const { child, output } = spawnFrontrow({ DATA_DIR: join(cwd, 'data'), HOLD_TTL_MS: '5000' }, cwd);
  await once(child, 'close');
  expect(output()).toMatch(/^The configuration has a mistake:\n  - QUEUE_TICK_MS .*\n$/);
});
