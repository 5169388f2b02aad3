import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { User } from '../../src/database/entities/user.entity.js';
import { Session } from '../../src/database/entities/session.entity.js';
import { connectFailFast, connectPatient } from '../../src/redis/client.js';
import { keys } from '../../src/redis/keys.js';
import { PubSub } from '../../src/redis/pubsub.js';
import { ServerRun } from '../../src/redis/server-run.js';
import { SessionCache } from '../../src/redis/session-cache.js';
import { SessionService, type IssuedSession } from '../../src/services/session.service.js';
import type { Buyer } from '../support/builder.js';
import { codeOf } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { redisProxy } from '../support/redis-proxy.js';
import { statementsOf } from '../support/statements.js';

let frontrow: Frontrow;
/** The subscriber of the services that tests make themselves. */
let listening: Redis | undefined;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
});
afterAll(async () => {
  listening?.disconnect();
  await frontrow.stop();
});

const REFRESH = 'mutation ($token: String!) { refreshSession(refreshToken: $token) { accessToken accessTokenExpiresAt refreshToken user { id } } }';
const refresh = (token: string, instance = 0) => frontrow.client(instance).raw(REFRESH, { token });
const me = (accessToken: string, instance = 0) => frontrow.client(instance).raw('{ me { id } }', {}, { accessToken });
const signOut = (accessToken: string, instance = 0) => frontrow.client(instance).raw('mutation { signOut }', {}, { accessToken });
const sql = (statement: string, params: unknown[]) => frontrow.app.transactions.fork().execute(statement, params);
const stateInRedis = async (sessionId: string): Promise<string | null> => frontrow.app.redis.get(keys.session(await frontrow.app.redisRun.current(), sessionId));
const rowOf = (sessionId: string): Promise<Session> => frontrow.app.transactions.fork().findOneOrFail(Session, sessionId);

type SignedIn = Buyer & { refreshToken: string };
async function signedIn(): Promise<SignedIn> {
  const buyer = await frontrow.build.buyer();
  return { ...buyer, refreshToken: frontrow.app.tokens.signRefresh(buyer.sessionId, 1) };
}

async function expectDead({ accessToken, refreshToken }: { accessToken: string; refreshToken: string }): Promise<void> {
  for (const instance of [0, 1]) {
    expect(codeOf(await me(accessToken, instance))).toBe('UNAUTHENTICATED');
    expect(codeOf(await refresh(refreshToken, instance))).toBe('UNAUTHENTICATED');
  }
}

describe('refreshing', () => {
  test('U1: gives a new session that lives 7 days from now; the same token again gives the very same session, on every instance', async () => {
    const buyer = await signedIn();
    await sql('update session set expires_at = sysdate(3) + interval 1 minute where id = ?', [buyer.sessionId]);
    const first = await refresh(buyer.refreshToken);
    expect(first.data.refreshSession.user.id).toBe(buyer.id);
    expect(first.data.refreshSession.refreshToken).not.toBe(buyer.refreshToken);
    expect((await me(first.data.refreshSession.accessToken, 1)).data.me.id).toBe(buyer.id);
    expect((await rowOf(buyer.sessionId)).expiresAt.getTime()).toBeGreaterThan(Date.now() + 6.9 * 86_400_000);
    expect(await refresh(buyer.refreshToken, 1)).toEqual(first);
    expect((await refresh(first.data.refreshSession.refreshToken, 1)).errors).toBeUndefined();
  });

  test('U1: twenty refreshes of one token at once over two instances all answer the same session', async () => {
    const buyer = await signedIn();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => refresh(buyer.refreshToken, index % 2)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]!.errors).toBeUndefined();
    expect((await rowOf(buyer.sessionId)).generation).toBe(2);
  });

  test('U1: a token used again after 10 s revokes the whole family', async () => {
    const buyer = await signedIn();
    const { data } = await refresh(buyer.refreshToken);
    expect((await me(data.refreshSession.accessToken)).data.me.id).toBe(buyer.id);
    await sql('update session set rotated_at = rotated_at - interval 10001000 microsecond where id = ?', [buyer.sessionId]);
    expect(codeOf(await refresh(buyer.refreshToken, 1))).toBe('UNAUTHENTICATED');
    await expectDead(data.refreshSession);
    await expectDead(buyer);
  });

  test('U1: a token used again within 10 s does not', async () => {
    const buyer = await signedIn();
    const { data } = await refresh(buyer.refreshToken);
    await sql('update session set rotated_at = rotated_at - interval 8 second where id = ?', [buyer.sessionId]);
    const repeated = await refresh(buyer.refreshToken);
    expect(repeated.data.refreshSession.refreshToken).toBe(data.refreshSession.refreshToken);
    expect((await me(data.refreshSession.accessToken)).errors).toBeUndefined();
  });

  test('U1: a token two generations old revokes the whole family, however young', async () => {
    const buyer = await signedIn();
    const second = (await refresh(buyer.refreshToken)).data.refreshSession;
    const third = (await refresh(second.refreshToken)).data.refreshSession;
    expect(codeOf(await refresh(buyer.refreshToken))).toBe('UNAUTHENTICATED');
    await expectDead(third);
  });

  test('U1: a family that was not refreshed for 7 days is over', async () => {
    const buyer = await signedIn();
    await sql('update session set expires_at = sysdate(3) where id = ?', [buyer.sessionId]);
    await expectDead(buyer);
  });

  test('the sweeper forgets families that are over, and no other', async () => {
    const [over, alive] = [await signedIn(), await signedIn()];
    await sql('update session set expires_at = sysdate(3) where id = ?', [over.sessionId]);
    expect(await frontrow.app.services.sessions.sweep()).toBeGreaterThanOrEqual(1);
    expect(await frontrow.app.transactions.fork().findOne(Session, over.sessionId)).toBeNull();
    await expectDead(over);
    expect((await refresh(alive.refreshToken)).errors).toBeUndefined();
  });

  test.each<[string, (buyer: SignedIn) => string]>([
    ['an access token', (buyer) => buyer.accessToken],
    ['a token of the next generation with the old mac', ({ refreshToken }) => refreshToken.replace('.1.', '.2.')],
    ["a token of another's session with one's own mac", ({ refreshToken, id }) => [id, ...refreshToken.split('.').slice(1)].join('.')],
    ['a token of a session without a row', ({ id }) => frontrow.app.tokens.signRefresh(id, 1)],
    ['nothing', () => ''],
    ['10 kB', () => 'x'.repeat(10_240)],
  ])('U1: %s is UNAUTHENTICATED and harms no session', async (_, forge) => {
    const buyer = await signedIn();
    expect(codeOf(await refresh(forge(buyer)))).toBe('UNAUTHENTICATED');
    expect((await refresh(buyer.refreshToken)).errors).toBeUndefined();
  });

  test('U3: the next access token carries the role the user has then', async () => {
    const buyer = await signedIn();
    await sql("update user set role = 'ADMIN' where id = ?", [buyer.id]);
    expect((await frontrow.app.services.sessions.authenticate(buyer.accessToken))?.role).toBe('USER');
    const { data } = await refresh(buyer.refreshToken);
    expect((await frontrow.app.services.sessions.authenticate(data.refreshSession.accessToken))?.role).toBe('ADMIN');
  });

  test('without the lock of its row a slow refresh throws a newer generation away (negative control)', async () => {
    const buyer = await signedIn();
    const { app } = frontrow;
    let newest: IssuedSession | undefined;
    const unlocked = Object.create(app.transactions, {
      run: {
        value: (work: (em: unknown) => Promise<unknown>) =>
          app.transactions.run((em) => {
            const read = em.findOne.bind(em);
            em.findOne = (async (entity: typeof Session, id: string) => {
              const row = await read(entity, id);
              if (!newest) newest = await app.services.sessions.refresh((await app.services.sessions.refresh(buyer.refreshToken)).refreshToken);
              return row;
            }) as unknown as typeof em.findOne;
            return work(em);
          }),
      },
    }) as typeof app.transactions;
    await serviceOn(new SessionCache(app.redis, app.redisRun, app.config.accessTokenTtlMs, app.logger), unlocked).refresh(buyer.refreshToken);
    await expect(app.services.sessions.refresh(newest!.refreshToken)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

function serviceOn(cache: SessionCache, transactions = frontrow.app.transactions): SessionService {
  const { app } = frontrow;
  listening ??= connectPatient(app.stores.redis, app.logger);
  return new SessionService(transactions, cache, new PubSub(app.redis, listening, app.metrics, app.logger), app.tokens, app.config);
}

describe('signing out', () => {
  test('U2: ends the refresh token and the access token at once on every instance, and no other session of the user', async () => {
    const buyer = await signedIn();
    const user = await frontrow.app.transactions.fork().findOneOrFail(User, buyer.id);
    const other = await frontrow.app.services.sessions.start(user);
    for (const instance of [0, 1]) expect((await me(buyer.accessToken, instance)).data.me.id).toBe(buyer.id);
    expect((await signOut(buyer.accessToken)).data.signOut).toBe(true);
    await expectDead(buyer);
    expect(codeOf(await signOut(buyer.accessToken))).toBe('UNAUTHENTICATED');
    expect((await me(other.accessToken, 1)).errors).toBeUndefined();
    expect((await refresh(other.refreshToken, 1)).errors).toBeUndefined();
  });

  test('U2: a token that was signed out stays dead when Redis forgets everything', async () => {
    const [gone, here] = [await signedIn(), await signedIn()];
    await signOut(gone.accessToken);
    await frontrow.app.redis.flushdb();
    await expectDead(gone);
    expect((await me(here.accessToken)).errors).toBeUndefined();
  });

  test('U2: wins against a refresh at the same time: whatever the refresh got is dead', async () => {
    const buyers = await Promise.all(Array.from({ length: 20 }, signedIn));
    await Promise.all(
      buyers.map(async (buyer, index) => {
        const [refreshed, ended] = await Promise.all([refresh(buyer.refreshToken, index % 2), signOut(buyer.accessToken, (index >> 1) % 2)]);
        expect(ended.data.signOut).toBe(true);
        await expectDead(refreshed.data?.refreshSession ?? buyer);
      }),
    );
  });

  test('U2: Redis keeps the denial for as long as an access token can live', async () => {
    const buyer = await signedIn();
    await signOut(buyer.accessToken);
    expect(await stateInRedis(buyer.sessionId)).toBe('revoked');
    expect(await frontrow.app.redis.pttl(keys.session(await frontrow.app.redisRun.current(), buyer.sessionId))).toBeGreaterThan(frontrow.app.config.accessTokenTtlMs);
  });

  test('U2: a reader that saw the row before the sign-out cannot bring the session back', async () => {
    const buyer = await signedIn();
    const cache = new SessionCache(frontrow.app.redis, frontrow.app.redisRun, frontrow.app.config.accessTokenTtlMs, frontrow.app.logger);
    await signOut(buyer.accessToken);
    cache.remember(buyer.sessionId, 'active', 60_000);
    expect(await cache.read(buyer.sessionId)).toBe('revoked');
  });

  test('U2: a process that ends after the row, before it can tell Redis, leaves nobody signed in', async () => {
    const buyer = await signedIn();
    await me(buyer.accessToken);
    await eventually(async () => (await stateInRedis(buyer.sessionId)) === 'active', 'the session in Redis');
    const cache = new SessionCache(frontrow.app.redis, frontrow.app.redisRun, frontrow.app.config.accessTokenTtlMs, frontrow.app.logger);
    const ended = Promise.withResolvers<never>();
    cache.revoke = () => ended.promise;
    void serviceOn(cache).signOut({ userId: buyer.id, sessionId: buyer.sessionId, role: 'USER', tokenExpiresAt: new Date(Date.now() + 60_000) });
    await eventually(async () => (await rowOf(buyer.sessionId)).revokedAt, 'the row to say so');
    expect(codeOf(await me(buyer.accessToken, 1))).toBe('UNAUTHENTICATED');
  });

  test('U2: a sign-out that was cut short before the row leaves the session as it was', async () => {
    const buyer = await signedIn();
    await frontrow.app.redis.del(keys.session(await frontrow.app.redisRun.current(), buyer.sessionId));
    const cache = new SessionCache(frontrow.app.redis, frontrow.app.redisRun, frontrow.app.config.accessTokenTtlMs, frontrow.app.logger);
    await cache.doubt(buyer.sessionId);
    expect(await cache.read(buyer.sessionId)).toBeNull();
    expect((await me(buyer.accessToken, 1)).data.me.id).toBe(buyer.id);
  });

  test('every instance hears of it', async () => {
    const buyer = await signedIn();
    const heard = [0, 1].map(async (instance) => {
      const told = Promise.withResolvers<void>();
      const stop = await frontrow.instances[instance]!.app.services.sessions.onRevoked((sessionId) => sessionId === buyer.sessionId && told.resolve());
      return { told: told.promise, stop };
    });
    const listeners = await Promise.all(heard);
    await signOut(buyer.accessToken);
    await Promise.all(listeners.map(({ told }) => told));
    for (const { stop } of listeners) stop();
  });
});

describe('checking an access token', () => {
  test('asks the database once and Redis after that', async () => {
    const buyer = await signedIn();
    await me(buyer.accessToken);
    await sql('delete from session where id = ?', [buyer.sessionId]);
    expect((await me(buyer.accessToken, 1)).errors).toBeUndefined();
    await frontrow.app.redis.del(keys.session(await frontrow.app.redisRun.current(), buyer.sessionId));
    expect(codeOf(await me(buyer.accessToken, 1))).toBe('UNAUTHENTICATED');
  });

  test('a bad token is UNAUTHENTICATED where one has to be signed in, and no matter where not', async () => {
    const buyer = await signedIn();
    const queueToken = await frontrow.app.tokens.signQueue({ userId: buyer.id, concertId: buyer.id, place: 1 }, new Date());
    const expired = await frontrow.app.tokens.signAccess({ id: buyer.id, role: 'USER' }, buyer.sessionId, new Date(Date.now() - 3_600_000));
    for (const accessToken of ['x', 'x'.repeat(10_240), queueToken, expired.token, buyer.refreshToken, `${buyer.accessToken}x`]) {
      expect(codeOf(await me(accessToken))).toBe('UNAUTHENTICATED');
      expect((await frontrow.client().raw('{ currency }', {}, { accessToken })).data.currency).toBe('KRW');
    }
  });

  test('of sessions that Redis does not know and that are asked for in one turn the database is asked once, and each is judged by itself', async () => {
    const [good, over, crossed] = [await signedIn(), await signedIn(), await signedIn()];
    await sql('update session set revoked_at = now(3) where id = ?', [over.sessionId]);
    const viewerOf = (id: string, sessionId: string) => ({ userId: id, role: 'USER' as const, sessionId, tokenExpiresAt: new Date() });
    const viewers = [viewerOf(good.id, good.sessionId), viewerOf(over.id, over.sessionId), viewerOf(good.id, crossed.sessionId), viewerOf(crossed.id, crossed.sessionId), viewerOf(good.id, crossed.id)];
    const states = () => Promise.all(viewers.map((viewer) => frontrow.app.services.sessions.stateInDatabase(viewer)));
    expect(await statementsOf(frontrow, async () => expect(await states()).toEqual(['active', 'revoked', 'revoked', 'active', 'revoked']))).toHaveLength(1);
  });

  test('a session of another user proves nothing', async () => {
    const [buyer, other] = [await signedIn(), await signedIn()];
    const crossed = await frontrow.app.tokens.signAccess({ id: other.id, role: 'USER' }, buyer.sessionId, new Date());
    expect(codeOf(await me(crossed.token))).toBe('UNAUTHENTICATED');
  });
});

describe('while Redis is away', () => {
  const logger = pino({ level: 'silent' });

  async function serviceBehindProxy() {
    const proxy = await redisProxy(frontrow.app.stores.redis);
    const redis = await connectFailFast(proxy.address, logger);
    const sessions = serviceOn(new SessionCache(redis, new ServerRun(redis), frontrow.app.config.accessTokenTtlMs, logger));
    return { proxy, redis, sessions, close: () => (redis.disconnect(), proxy.close()) };
  }

  test('U2: tokens are checked against the database, signing out works, and Redis hears of it when it is back', async () => {
    const { proxy, redis, sessions, close } = await serviceBehindProxy();
    const buyer = await signedIn();
    const viewer = await sessions.authenticate(buyer.accessToken);
    expect(viewer?.userId).toBe(buyer.id);
    await eventually(async () => frontrow.app.redis.exists(keys.session(await frontrow.app.redisRun.current(), buyer.sessionId)), 'the session in Redis');
    await proxy.cut();
    await eventually(() => redis.status !== 'ready', 'the connection to break');
    expect((await sessions.authenticate(buyer.accessToken))?.userId).toBe(buyer.id);
    expect(await sessions.signOut(viewer!)).toBe(true);
    expect(await sessions.authenticate(buyer.accessToken)).toBeNull();
    await proxy.restore();
    await eventually(async () => (await stateInRedis(buyer.sessionId)) === 'revoked', 'Redis to hear of it');
    expect(codeOf(await me(buyer.accessToken, 1))).toBe('UNAUTHENTICATED');
    await close();
  });

  test('a Redis that takes commands and never answers holds nobody up', async () => {
    const { proxy, sessions, close } = await serviceBehindProxy();
    const buyer = await signedIn();
    proxy.silence();
    const viewer = await sessions.authenticate(buyer.accessToken);
    expect(viewer?.userId).toBe(buyer.id);
    expect(await sessions.signOut(viewer!)).toBe(true);
    expect(await sessions.authenticate(buyer.accessToken)).toBeNull();
    await close();
  });
});
