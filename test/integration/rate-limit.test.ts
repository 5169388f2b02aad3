import { pino } from 'pino';
import { RateLimiterRedisNonAtomic } from 'rate-limiter-flexible';
import { v7 as uuid } from 'uuid';
import { RequestError } from '../../src/domain/errors.js';
import { connectFailFast } from '../../src/redis/client.js';
import { keys } from '../../src/redis/keys.js';
import { RATE_WINDOWS_S, RateLimiter, type RateLimitKind } from '../../src/redis/rate-limiter.js';
import { codeOf, type Credentials } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, testConfig, type Frontrow } from '../support/frontrow.js';
import { redisProxy } from '../support/redis-proxy.js';

const USER_MAX = 5;
const SIGN_IN_MAX = 3;
const SIGN_UP_MAX = 4;

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({
    instances: 2,
    env: {
      RATE_LIMIT: 'on',
      RATE_LIMIT_USER_MAX: String(USER_MAX),
      RATE_LIMIT_SIGN_IN_MAX: String(SIGN_IN_MAX),
      RATE_LIMIT_SIGN_UP_MAX: String(SIGN_UP_MAX),
      RATE_LIMIT_ADDRESS_MAX: '10000',
    },
  });
});
beforeEach(() => frontrow.app.redis.flushdb());
afterAll(() => frontrow.stop());

const PASSWORD = 'correct horse';
const signIn = (email: string, instance = 0) =>
  frontrow
    .client(instance)
    .raw('mutation ($input: SignInInput!) { signIn(input: $input) { __typename } }', { input: { email, password: PASSWORD } });
const signUp = (email: string, instance = 0) =>
  frontrow
    .client(instance)
    .raw('mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }', { input: { email, password: PASSWORD, name: 'Ann' } });
const freshEmail = (): string => `${uuid()}@example.com`;
const keyOf = (kind: RateLimitKind, subject: string): string => `${keys.rateLimit()}:${kind}:${subject}`;

test('an e-mail is tried 3 times a minute from one address, over all instances and in any case; then it is RATE_LIMITED, another e-mail is not', async () => {
  const email = freshEmail();
  await signUp(email);
  for (let attempt = 0; attempt < SIGN_IN_MAX; attempt += 1) {
    const answer = await signIn(attempt % 2 ? email : email.toUpperCase(), attempt % 2);
    expect(answer.data.signIn.__typename).toBe('Session');
  }
  for (const instance of [0, 1]) {
    const refused = await signIn(email, instance);
    expect(codeOf(refused)).toBe('RATE_LIMITED');
    expect(refused.errors![0]!.extensions.retryAfterSeconds).toBeGreaterThan(50);
    expect(refused.errors![0]!.extensions.retryAfterSeconds).toBeLessThanOrEqual(RATE_WINDOWS_S.signIn);
  }
  expect((await signIn(freshEmail())).data.signIn.__typename).toBe('InvalidCredentials');
});

test('an address opens 4 accounts an hour; what is refused for its input does not count', async () => {
  for (let attempt = 0; attempt < 3; attempt += 1) expect(codeOf(await signUp('not an e-mail'))).toBe('BAD_USER_INPUT');
  for (let attempt = 0; attempt < SIGN_UP_MAX; attempt += 1) expect((await signUp(freshEmail(), attempt % 2)).data.signUp.__typename).toBe('Session');
  const refused = await signUp(freshEmail(), 1);
  expect(codeOf(refused)).toBe('RATE_LIMITED');
  expect(refused.errors![0]!.extensions.retryAfterSeconds).toBeGreaterThan(3500);
  expect(refused.errors![0]!.extensions.retryAfterSeconds).toBeLessThanOrEqual(RATE_WINDOWS_S.signUp);
});

test('a user has 5 operations in 10 s, over all instances; the next is RATE_LIMITED, another user is not', async () => {
  const [buyer, other] = await frontrow.build.buyers(2);
  const me = (credentials: Credentials, instance = 0) => frontrow.client(instance).raw('{ me { id } }', {}, credentials);
  for (let operation = 0; operation < USER_MAX; operation += 1) expect((await me(buyer!, operation % 2)).data.me.id).toBe(buyer!.id);
  const refused = await me(buyer!);
  expect([refused.status, codeOf(refused)]).toEqual([429, 'RATE_LIMITED']);
  expect(refused.errors![0]!.extensions.retryAfterSeconds).toBeLessThanOrEqual(RATE_WINDOWS_S.user);
  expect((await me(other!)).data.me.id).toBe(other!.id);
});

const passed = async (uses: Promise<unknown>[]): Promise<number> => (await Promise.allSettled(uses)).filter(({ status }) => status === 'fulfilled').length;
const uses = (consume: (index: number) => Promise<unknown>, count = 50) => passed(Array.from({ length: count }, (_, index) => consume(index)));

test('fifty uses at once over two instances: exactly as many as the limit pass', async () => {
  const user = uuid();
  expect(await uses((index) => frontrow.instances[index % 2]!.app.limiter.consume('user', user))).toBe(USER_MAX);
});

test('a limiter that reads and then writes lets more pass (negative control)', async () => {
  const limiters = frontrow.instances.map(({ app }) => new RateLimiterRedisNonAtomic({ storeClient: app.redis, points: USER_MAX, duration: 10 }));
  const user = uuid();
  expect(await uses((index) => limiters[index % 2]!.consume(user))).toBeGreaterThan(USER_MAX);
});

test('retryAfterSeconds is the time until the window ends, rounded up, and when it has ended there are uses again', async () => {
  const { limiter, redis } = frontrow.app;
  const user = uuid();
  await uses(() => limiter.consume('user', user), USER_MAX);
  await redis.pexpire(keyOf('user', user), 4200);
  const refused = await limiter.consume('user', user).catch((error: unknown) => error);
  // 5, unless so much of the window has passed meanwhile that it is fewer.
  const leftMs = await redis.pttl(keyOf('user', user));
  expect(refused).toMatchObject({ code: 'RATE_LIMITED', extensions: { retryAfterSeconds: expect.any(Number) } });
  const { retryAfterSeconds } = (refused as RequestError).extensions as { retryAfterSeconds: number };
  expect(retryAfterSeconds).toBeGreaterThanOrEqual(Math.ceil(leftMs / 1000));
  expect(retryAfterSeconds).toBeLessThanOrEqual(5);
  await redis.pexpire(keyOf('user', user), 1);
  await eventually(() => limiter.consume('user', user).then(() => true, () => false), 'the next window');
});

test('every address of an IPv6 network is the same client', async () => {
  const { users } = frontrow.app.services;
  const attempt = (address: string) => users.signUp({ email: freshEmail(), password: PASSWORD, name: 'Ann' }, address);
  for (let index = 0; index < SIGN_UP_MAX; index += 1) await attempt(`2001:db8::${index}`);
  await expect(attempt('2001:db8::ffff')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  await expect(attempt('2001:db8:0:1::1')).resolves.toBeDefined();
});

test('RATE_LIMIT=off limits nobody', async () => {
  const limiter = new RateLimiter(frontrow.app.redis, testConfig({ RATE_LIMIT: 'off', RATE_LIMIT_USER_MAX: '1' }).rateLimit);
  expect(await uses(() => limiter.consume('user', 'anyone'))).toBe(50);
});

test('the limits that come without configuration', () => {
  expect(testConfig({ RATE_LIMIT: '' }).rateLimit).toEqual({ enabled: true, userMax: 200, addressMax: 2000, signInMax: 10, signUpMax: 60 });
  expect(RATE_WINDOWS_S).toEqual({ user: 10, address: 10, signIn: 60, signUp: 3600 });
});

describe('while Redis is away', () => {
  const logger = pino({ level: 'silent' });

  async function limiterBehindProxy() {
    const proxy = await redisProxy(frontrow.app.stores.redis);
    const redis = await connectFailFast(proxy.address, logger);
    const limiter = new RateLimiter(redis, frontrow.app.config.rateLimit);
    return { proxy, redis, limiter, close: () => (redis.disconnect(), proxy.close()) };
  }

  test('every process counts for itself, and for all again when Redis is back', async () => {
    const { proxy, redis, limiter, close } = await limiterBehindProxy();
    const user = uuid();
    await proxy.cut();
    await eventually(() => redis.status !== 'ready', 'the connection to break');
    expect(await uses(() => limiter.consume('user', user))).toBe(USER_MAX);
    await proxy.restore();
    await eventually(() => redis.status === 'ready', 'the connection to come back');
    await limiter.consume('user', user);
    expect(await frontrow.app.redis.get(keyOf('user', user))).toBe('1');
    await close();
  });

  test('a Redis that never answers holds nobody up', async () => {
    const { proxy, limiter, close } = await limiterBehindProxy();
    proxy.silence();
    expect(await uses(() => limiter.consume('user', uuid()), 3)).toBe(3);
    await close();
  });

  test('with the connection closed, the limit and its window hold in the process', async () => {
    const { redis, limiter, close } = await limiterBehindProxy();
    redis.disconnect();
    const user = uuid();
    const refusals = await Promise.allSettled(Array.from({ length: USER_MAX + 1 }, () => limiter.consume('user', user)));
    const [refused] = refusals.filter((one) => one.status === 'rejected');
    expect(refused?.reason).toBeInstanceOf(RequestError);
    expect(refused?.reason.extensions.retryAfterSeconds).toBe(RATE_WINDOWS_S.user);
    await close();
  });
});
