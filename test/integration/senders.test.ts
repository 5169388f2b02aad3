import { jest } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { RequestError } from '../../src/domain/errors.js';
import { startOwnStores, type OwnStores } from '../../src/launcher/own-stores.js';
import { connectFailFast } from '../../src/redis/client.js';
import { GRANTED_SHARE } from '../../src/redis/granted-uses.js';
import { keys } from '../../src/redis/keys.js';
import { RateLimiter } from '../../src/redis/rate-limiter.js';
import { SenderDesk, SENDERS_PER_CALL_MAX, type DeskSender } from '../../src/redis/sender-desk.js';
import { ServerRun } from '../../src/redis/server-run.js';
import { testConfig } from '../support/frontrow.js';
import { redisProxy } from '../support/redis-proxy.js';

/** All who come in one turn are counted, and their sessions looked up, together. */

const logger = pino({ level: 'silent' });
const USER_MAX = 200;
const ADDRESS_MAX = 1000;
const limits = testConfig({ RATE_LIMIT: 'on', RATE_LIMIT_USER_MAX: String(USER_MAX), RATE_LIMIT_ADDRESS_MAX: String(ADDRESS_MAX) }).rateLimit;

let folder: string;
let stores: OwnStores;
let redis: Redis;
let run: ServerRun;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'senders-'));
  stores = await startOwnStores(folder, () => undefined, { database: false, redis: true });
  redis = await connectFailFast(stores.redis, logger);
  run = new ServerRun(redis);
  await run.current();
});
afterEach(() => jest.restoreAllMocks());
afterAll(async () => {
  redis.disconnect();
  await stores.stop();
  rmSync(folder, { recursive: true });
});

function newDesk(client = redis, of = limits): SenderDesk {
  const desk = new SenderDesk(client, new ServerRun(client), new RateLimiter(client, of), logger);
  // What was used is told with the next question or when the test says so, and not by itself among the calls that are counted.
  desk.close();
  return desk;
}
let networks = 0;
const freshNetwork = (): string => `10.0.${(networks += 1)}.0`;
const newSender = (network = freshNetwork()): DeskSender => ({ network, userId: uuid(), sessionId: uuid() });
const remember = async ({ sessionId }: DeskSender, state: string): Promise<unknown> => redis.set(keys.session(await run.current(), sessionId!), state);
const remembered = async (state: string): Promise<string> => {
  const sender = newSender();
  await remember(sender, state);
  return sender.sessionId!;
};
const usedUp = async (): Promise<string> => {
  const network = freshNetwork();
  await redis.set(`${keys.rateLimit()}:address:${network}`, ADDRESS_MAX, 'PX', 5000);
  return network;
};
const countOf = async (kind: string, subject: string): Promise<number> => Number(await redis.get(`${keys.rateLimit()}:${kind}:${subject}`));
const scriptCalls = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
const passed = async (uses: Promise<unknown>[]): Promise<number> => (await Promise.allSettled(uses)).filter(({ status }) => status === 'fulfilled').length;

test('a hundred senders of one turn cost two script calls, and each is answered for itself', async () => {
  const desk = newDesk();
  await desk.ask(newSender());
  const senders = Array.from({ length: 100 }, () => newSender());
  await Promise.all(senders.map((sender, index) => (index % 3 === 0 ? undefined : remember(sender, index % 3 === 1 ? 'active' : 'revoked'))));
  const before = await scriptCalls();
  const states = await Promise.all(senders.map((sender) => desk.ask(sender)));
  expect((await scriptCalls()) - before).toBe(Math.ceil(senders.length / SENDERS_PER_CALL_MAX));
  expect(states).toEqual(senders.map((_, index) => [null, 'active', 'revoked'][index % 3]));
  // A user is counted where the session is good, and nowhere else.
  expect(await Promise.all(senders.map(({ userId }) => countOf('user', userId!)))).toEqual(senders.map((_, index) => (index % 3 === 1 ? 1 : 0)));
});

test('what is doubted is asked of the database, and the user counted after that', async () => {
  const desk = newDesk();
  const sender = newSender();
  await remember(sender, 'doubted');
  expect(await desk.ask(sender)).toBeNull();
  await desk.countUser(sender);
  expect([await countOf('user', sender.userId!), await countOf('address', sender.network)]).toEqual([1, 1]);
});

test('300 uses at once over two processes: exactly as many as the limit of the user pass', async () => {
  const [desk, other] = [newDesk(), newDesk()];
  const sender = newSender();
  await remember(sender, 'active');
  expect(await passed(Array.from({ length: 300 }, (_, index) => (index % 2 ? desk : other).ask(sender)))).toBe(USER_MAX);
});

test('an address that has used too much is refused until its window ends, and its users are not counted', async () => {
  const desk = newDesk();
  const network = freshNetwork();
  await redis.set(`${keys.rateLimit()}:address:${network}`, ADDRESS_MAX, 'PX', 4200);
  const sender = newSender(network);
  await remember(sender, 'active');
  const refused = await desk.ask(sender).catch((error: unknown) => error);
  // 5, unless so much of the window has passed meanwhile that it is fewer.
  const leftMs = await redis.pttl(`${keys.rateLimit()}:address:${network}`);
  expect(refused).toMatchObject({ code: 'RATE_LIMITED', extensions: { retryAfterSeconds: expect.any(Number) } });
  const { retryAfterSeconds } = (refused as RequestError).extensions as { retryAfterSeconds: number };
  expect(retryAfterSeconds).toBeGreaterThanOrEqual(Math.ceil(leftMs / 1000));
  expect(retryAfterSeconds).toBeLessThanOrEqual(5);
  expect(await countOf('user', sender.userId!)).toBe(0);
});

test('both counts are the limiter’s own: a window that one of them began goes on for the other', async () => {
  const desk = newDesk();
  const limiter = new RateLimiter(redis, limits);
  const sender = newSender();
  await remember(sender, 'active');
  await limiter.consume('user', sender.userId!);
  await desk.ask(sender);
  await limiter.consume('user', sender.userId!);
  expect(await countOf('user', sender.userId!)).toBe(3);
  expect(await redis.pttl(`${keys.rateLimit()}:user:${sender.userId}`)).toBeLessThanOrEqual(10_000);
});

describe('what a process gives without asking', () => {
  // A grant lasts a second, and no slow machine ends it.
  beforeEach(() => jest.spyOn(performance, 'now').mockReturnValue(performance.now()));

  test('is a share of what is left, sends nothing, and is told with the next question', async () => {
    const desk = newDesk();
    const sender = newSender();
    await remember(sender, 'active');
    expect(desk.useGranted(sender.network, sender.userId)).toBe(false);
    await desk.ask(sender);
    const before = await scriptCalls();
    let given = 0;
    while (desk.useGranted(sender.network, sender.userId)) given += 1;
    expect(given).toBe(Math.floor((USER_MAX - 1) * GRANTED_SHARE));
    expect(await scriptCalls()).toBe(before);
    await desk.ask(sender);
    expect([await countOf('user', sender.userId!), await countOf('address', sender.network)]).toEqual([given + 2, given + 2]);
  });

  test('is told without a question, too, and none of it is lost while Redis does not take it', async () => {
    const proxy = await redisProxy(stores.redis);
    const client = await connectFailFast(proxy.address, logger);
    const desk = newDesk(client);
    const sender = newSender();
    await remember(sender, 'active');
    await desk.ask(sender);
    for (let use = 0; use < 7; use += 1) expect(desk.useGranted(sender.network, sender.userId)).toBe(true);
    await proxy.cut();
    await desk.report();
    expect(await countOf('user', sender.userId!)).toBe(1);
    await proxy.restore();
    await new Promise((resolve) => client.once('ready', resolve));
    await desk.report();
    expect([await countOf('user', sender.userId!), await countOf('address', sender.network)]).toEqual([8, 8]);
    await desk.report();
    expect(await countOf('user', sender.userId!)).toBe(8);
    client.disconnect();
    await proxy.close();
  });

  test.each([
    ['a session that was signed out', async (sender: DeskSender) => ({ ...sender, sessionId: await remembered('revoked') })],
    ['a session that Redis does not know', async (sender: DeskSender) => ({ ...sender, sessionId: uuid() })],
    ['an address that has used too much', async (sender: DeskSender) => ({ ...sender, network: await usedUp() })],
  ])('is told all the same where %s of the same user asks next', async (_of, otherOf) => {
    const desk = newDesk();
    const sender = newSender();
    await remember(sender, 'active');
    await desk.ask(sender);
    let given = 0;
    while (desk.useGranted(sender.network, sender.userId)) given += 1;
    await desk.ask(await otherOf(sender)).catch(() => undefined);
    await desk.report();
    expect(await countOf('user', sender.userId!)).toBe(1 + given);
  });

  test('is no more to a user who asks in the same turn with a session that was signed out', async () => {
    const desk = newDesk();
    const sender = newSender();
    await remember(sender, 'active');
    const signedOut = { ...sender, sessionId: await remembered('revoked') };
    let given = 0;
    for (let round = 0; round < 40; round += 1) {
      await passed([desk.ask(signedOut), desk.ask(sender)]);
      while (desk.useGranted(sender.network, sender.userId)) given += 1;
    }
    await desk.report();
    expect(given).toBeGreaterThan(0);
    expect(await countOf('user', sender.userId!)).toBeLessThanOrEqual(USER_MAX * (1 + GRANTED_SHARE));
  });

  test('is nothing to a guest whose address has none left', async () => {
    const desk = newDesk();
    const network = freshNetwork();
    await redis.set(`${keys.rateLimit()}:address:${network}`, ADDRESS_MAX - 5, 'PX', 5000);
    await desk.ask({ network, userId: null, sessionId: null });
    expect(desk.useGranted(network, null)).toBe(false);
  });
});

describe('while Redis is away', () => {
  test.each(['cut', 'silence'] as const)('(%s) every process counts for itself, and the database is asked for the session', async (how) => {
    const proxy = await redisProxy(stores.redis);
    const client = await connectFailFast(proxy.address, logger);
    const desk = newDesk(client, { ...limits, userMax: 5 });
    const sender = newSender();
    await remember(sender, 'active');
    await proxy[how]();
    expect(await passed(Array.from({ length: 8 }, async () => {
      expect(await desk.ask(sender)).toBeNull();
      await desk.countUser(sender);
    }))).toBe(5);
    client.disconnect();
    await proxy.close();
  });
});

test('RATE_LIMIT=off counts nobody, and sessions are looked up all the same', async () => {
  const desk = newDesk(redis, { ...limits, enabled: false, userMax: 1 });
  const sender = newSender();
  await remember(sender, 'active');
  for (let use = 0; use < 3; use += 1) expect(await desk.ask(sender)).toBe('active');
  expect(desk.useGranted(sender.network, sender.userId)).toBe(true);
  expect(await countOf('user', sender.userId!)).toBe(0);
});
