import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findProgram } from '../../src/launcher/debian-packages.js';
import { LauncherError } from '../../src/launcher/launcher-error.js';
import { runningDatabase, startOwnStores, type OwnStores } from '../../src/launcher/own-stores.js';
import { eventually } from '../support/eventually.js';
import { childrenOf, commandOf } from '../support/process.js';

const folder = mkdtempSync(join(tmpdir(), 'frontrow-launcher-'));
const started: OwnStores[] = [];
afterAll(async () => {
  for (const one of [...started]) await one.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** Stopped at the end, also when a test fails before it does so itself. */
async function startStores(...args: Parameters<typeof startOwnStores>): Promise<OwnStores> {
  const own = await startOwnStores(...args);
  const stop = async (): Promise<void> => {
    if (!started.includes(one)) return;
    started.splice(started.indexOf(one), 1);
    await own.stop();
  };
  const one = { ...own, stop };
  started.push(one);
  return one;
}

const said: string[] = [];
const say = (line: string): void => void said.push(line);
const runningServers = (): string[] => childrenOf(process.pid).map(commandOf).filter((command) => command.includes(folder));

async function withRedis<T>(address: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(address);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

test('only the store that no URL names is run', async () => {
  const own = await startStores(join(folder, 'redis-only'), say, { database: false, redis: true });
  expect(runningServers()).toHaveLength(1);
  expect(await withRedis(own.redis, (redis) => redis.ping())).toBe('PONG');
  expect(existsSync(join(folder, 'redis-only', 'mariadb'))).toBe(false);
  await own.stop();
  expect(runningServers()).toEqual([]);
});

test('Redis keeps what was written, refuses to forget, and listens on no port', async () => {
  const data = join(folder, 'kept');
  const first = await startStores(data, say, { database: false, redis: true });
  await withRedis(first.redis, (redis) => redis.set('key', 'value'));
  await first.stop();
  const second = await startStores(data, say, { database: false, redis: true });
  await withRedis(second.redis, async (redis) => {
    expect(await redis.get('key')).toBe('value');
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(expect.arrayContaining(['noeviction']));
    expect(await redis.config('GET', 'port')).toEqual(expect.arrayContaining(['0']));
  });
  await second.stop();
});

test('a data folder with a path too long for a socket has its sockets elsewhere', async () => {
  const data = join(folder, 'long-'.repeat(30));
  const own = await startStores(data, say, { database: false, redis: true });
  expect(own.redis.startsWith(data)).toBe(false);
  expect(await withRedis(own.redis, (redis) => redis.ping())).toBe('PONG');
  await own.stop();
  expect(existsSync(own.redis)).toBe(false);
  expect(readdirSync(data)).not.toContain('run');
});

test('the sockets that a killed run left elsewhere are cleared by the next one', async () => {
  const data = join(folder, 'long-again-'.repeat(15));
  const left = join(folder, 'left');
  for (const made of [data, left]) mkdirSync(made);
  writeFileSync(join(left, 'redis.sock'), '');
  symlinkSync(left, join(data, 'run'));
  const own = await startStores(data, say, { database: false, redis: true });
  expect(existsSync(left)).toBe(false);
  expect(await withRedis(own.redis, (redis) => redis.ping())).toBe('PONG');
  await own.stop();
});

test.each(['short', 'long-to-find-'.repeat(12)])('a command beside it finds the database that runs on a data folder, and is told when none does: %s', async (name) => {
  const data = join(folder, name);
  expect(() => runningDatabase(data)).toThrow(`No database of Frontrow's own runs on the data in ${data}.`);
  const own = await startStores(data, say, { database: true, redis: false });
  expect(runningDatabase(data)).toEqual(own.database);
  await own.stop();
  expect(() => runningDatabase(data)).toThrow('DATABASE_URL');
});

test('an interrupted creation of the database is done again, and what a killed run left is cleared', async () => {
  const data = join(folder, 'interrupted');
  for (const left of ['mariadb.new', 'run', 'tmp']) {
    mkdirSync(join(data, left), { recursive: true });
    writeFileSync(join(data, left, 'left-over'), '');
  }
  const own = await startStores(data, say, { database: true, redis: false });
  expect(runningServers()).toHaveLength(1);
  expect(existsSync(join(data, 'mariadb.new'))).toBe(false);
  expect([...readdirSync(join(data, 'run')), ...readdirSync(join(data, 'tmp'))]).not.toContain('left-over');
  await own.stop();
});

test('a server that cannot start is told with the end of its log, and the folder is free again', async () => {
  const data = join(folder, 'broken');
  mkdirSync(join(data, 'redis', 'appendonlydir'), { recursive: true });
  writeFileSync(join(data, 'redis', 'appendonlydir', 'appendonly.aof.manifest'), 'nonsense\n');
  const needed = { database: false, redis: true };
  const failure = await startStores(data, say, needed).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(LauncherError);
  expect((failure as Error).message).toMatch(/^Redis did not start\. The end of .*redis\.log:\n.*AOF manifest/s);
  rmSync(join(data, 'redis'), { recursive: true });
  await (await startStores(data, say, needed)).stop();
});

test('a folder in use is refused, by the same process too', async () => {
  const needed = { database: false, redis: true };
  const own = await startStores(join(folder, 'busy'), say, needed);
  await expect(startStores(join(folder, 'busy'), say, needed)).rejects.toThrow('Another Frontrow is running on the data in');
  await own.stop();
});

test('the servers of a killed run are waited for while they end', async () => {
  const data = join(folder, 'killed');
  mkdirSync(data);
  const stillWriting = spawn('flock', [join(data, 'servers.lock'), 'sh', '-c', 'echo locked; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
  await once(stillWriting.stdout, 'data');
  const starting = startStores(data, say, { database: false, redis: true });
  await eventually(() => said.includes('The servers of a killed run are still ending; waiting for them …'), 'the start to wait');
  expect(runningServers().filter((command) => command.includes('redis-server'))).toEqual([]);
  stillWriting.stdin.end();
  await (await starting).stop();
});

test('a folder that cannot be made is one clear line', async () => {
  await expect(startStores('/dev/null/data', say)).rejects.toThrow(/^The data folder \/dev\/null\/data cannot be made: /);
});

test('programs are found on the PATH and in the sbin folder beside it', () => {
  expect(findProgram(['sh'])).toMatch(/bin\/sh$/);
  expect(findProgram(['no-such-program', 'sh'])).toMatch(/bin\/sh$/);
  expect(findProgram(['no-such-program'])).toBeUndefined();
  mkdirSync(join(folder, 'root/usr/sbin'), { recursive: true });
  writeFileSync(join(folder, 'root/usr/sbin/some-server'), '');
  expect(findProgram(['some-server'], join(folder, 'root'))).toBe(join(folder, 'root/usr/sbin/some-server'));
});
