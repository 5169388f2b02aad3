import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { PLACES_PER_EPOCH } from '../../src/domain/queue.js';
import { connectFailFast } from '../../src/redis/client.js';
import { keys } from '../../src/redis/keys.js';
import { QueueStore } from '../../src/redis/queue-store.js';
import type { Buyer } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf, sequenceOf } from '../support/queue.js';

const JOIN_SOURCE = readFileSync(new URL('../../src/redis/scripts/queue-join.lua', import.meta.url), 'utf8');
const JOIN_SHA = createHash('sha1').update(JOIN_SOURCE).digest('hex');

/** How often each user is in the two sets, at one instant. */
const SNAPSHOT = `
  local counts = {}
  for _, user in ipairs(ARGV) do
    local n = 0
    if redis.call('ZSCORE', KEYS[1], user) then n = n + 1 end
    if redis.call('ZSCORE', KEYS[2], user) then n = n + 1 end
    counts[#counts + 1] = n
  end
  return counts`;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
let second: Redis;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_ADMIT_COUNT: '5', QUEUE_ACTIVE_MAX: '12' } });
  queue = queueOf(frontrow);
  second = frontrow.instances[1]!.app.redis;
});
afterEach(() => queue.forgetAll());
afterAll(() => frontrow.stop());

const setsOf = (concertId: string, users: string[]) =>
  frontrow.app.redis.eval(SNAPSHOT, 2, keys.queueWaiting(concertId), keys.queueActive(concertId), ...users) as Promise<number[]>;
/** Those that the join script takes before the markers of its users. */
const QUEUE_KEYS = [keys.queueWaiting, keys.queueActive, keys.queueSeen, keys.queuePlaces, keys.queueState, keys.queueEvents, keys.queueAdmissions];
const joinKeys = (concertId: string, userId: string): string[] => [
  ...QUEUE_KEYS.map((key) => key(concertId)), keys.queueEnded(concertId, userId),
];

/** The users in the order in which Redis accepted their joins, as Redis itself reports it to a connection that monitors. */
async function recordAcceptance(concertId: string): Promise<{ users: string[]; calls: number[]; stop(): void }> {
  const monitor = connect(frontrow.app.stores.redis.split('?')[0]!);
  monitor.write('MONITOR\r\n');
  const users: string[] = [];
  const calls: number[] = [];
  const lines = createInterface(monitor);
  lines.on('line', (line) => {
    const [command, sha, keyCount, ...rest] = [...line.matchAll(/"([^"]*)"/g)].map(([, argument]) => argument!);
    if (command !== 'evalsha' || sha !== JOIN_SHA || rest[0] !== keys.queueWaiting(concertId)) return;
    const asked = rest.slice(Number(keyCount) + 2);
    calls.push(asked.length / 3);
    users.push(...asked.filter((_, index) => index % 3 === 0));
  });
  await once(lines, 'line');
  return { users, calls, stop: () => monitor.destroy() };
}

describe('Q4', () => {
  const CLIENTS = 30;
  const JOINS_EACH = 12;

  test('Q4: places are 1 to n in exactly the order in which Redis accepted the joins, over two instances, without ties', async () => {
    const concert = await frontrow.build.concert();
    // Loads the script and counts the queue's first place, so that from here on each join is in one run of the script.
    await queue.join(await frontrow.build.buyer(), concert.id);
    const buyers = await frontrow.build.buyers(CLIENTS * JOINS_EACH);
    const record = await recordAcceptance(concert.id);
    const clients = Array.from({ length: CLIENTS }, (_, client) => buyers.slice(client * JOINS_EACH, (client + 1) * JOINS_EACH));
    const sequences = await Promise.all(
      clients.map(async (own, client) => {
        const got: number[] = [];
        for (const [turn, buyer] of own.entries()) got.push(sequenceOf((await queue.join(buyer, concert.id, (client + turn) % 2)).token));
        return got;
      }),
    );
    await eventually(() => record.users.length >= buyers.length, 'the last join in the record');
    record.stop();
    // A join that was answered before another began has the lower place.
    for (const own of sequences) expect(own).toEqual(own.toSorted((a, b) => a - b));
    expect(sequences.flat().toSorted((a, b) => a - b)).toEqual(buyers.map((_, index) => index + 2));
    const byPlace = buyers.map((buyer, index) => ({ id: buyer.id, place: sequences.flat()[index]! })).toSorted((a, b) => a.place - b.place);
    expect(record.users).toEqual(byPlace.map(({ id }) => id));
    // Those of one turn came in one run.
    expect(Math.max(...record.calls)).toBeGreaterThan(1);
    expect((await queue.waitingIds(concert.id)).slice(1)).toEqual(byPlace.map(({ id }) => id));
  });

  test('Q4: control: with places from a clock many users stand at the same place', async () => {
    const concert = await frontrow.build.concert();
    const patched = JOIN_SOURCE.replace("redis.call('HINCRBY', state, 'sequence', #newcomers)", 'now');
    expect(patched).not.toBe(JOIN_SOURCE);
    await frontrow.app.redis.hset(keys.queueState(concert.id), 'epoch', 0, 'run', 'this');
    const users = Array.from({ length: 300 }, (_, index) => `user-${index}`);
    const replies = (await Promise.all(
      users.map((user, index) => (index % 2 ? second : frontrow.app.redis).eval(patched, 8, ...joinKeys(concert.id, user), 'this', PLACES_PER_EPOCH, user, '1', -1)),
    )) as [unknown, [string, string]][];
    expect(new Set(replies.map(([, [, place]]) => place)).size).toBeLessThan(users.length);
  });

  test('Q1: of joins that share one run each has its own outcome, and is told where it stands at that instant', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { activeMax: 0 });
    const [ahead, first, again, late, active] = await frontrow.build.buyers(5);
    await queue.joinInTurn([ahead!, again!], concert.id);
    await frontrow.build.admit(concert.id, [active!]);
    const { redis, redisRun } = frontrow.app;
    const store = new QueueStore(redis, redisRun, () => Promise.reject(new Error('recovered')));
    const record = await recordAcceptance(concert.id);
    const outcomes = await Promise.all([
      store.join(concert.id, first!.id, true), store.join(concert.id, again!.id, true), store.join(concert.id, first!.id, true),
      store.join(concert.id, late!.id, false), store.join(concert.id, active!.id, true), store.join(concert.id, late!.id, true),
    ]);
    await eventually(() => record.calls.length > 0, 'the record');
    record.stop();
    expect(record.calls).toEqual([6]);
    const view = expect.objectContaining({ waiting: 4, epoch: 0 });
    expect(outcomes).toMatchObject([
      { status: 'JOINED', place: 3, rank: 2, view }, { status: 'WAITING', place: 2, rank: 1, view }, { status: 'WAITING', place: 3, rank: 2, view },
      'CLOSED', { status: 'ACTIVE', rank: 0, view }, { status: 'JOINED', place: 4, rank: 3, view },
    ]);
    expect(await queue.waitingIds(concert.id)).toEqual([ahead, again, first, late].map((buyer) => buyer!.id));
  });

  test('Q1: joining at once from everywhere gives one user one place', async () => {
    const concert = await frontrow.build.concert();
    const buyer = await frontrow.build.buyer();
    const joins = await Promise.all(Array.from({ length: 40 }, (_, index) => queue.join(buyer, concert.id, index % 2)));
    expect(new Set(joins.map(({ token }) => sequenceOf(token)))).toEqual(new Set([1]));
    expect(await queue.waitingIds(concert.id)).toEqual([buyer.id]);
  });
});

describe('Q5', () => {
  test('Q5: while all transitions race, nobody is ever in both sets, and who only waits is always in one', async () => {
    const concert = await frontrow.build.concert();
    await queue.setPolicy(concert.id, { admitCount: 1000, activeMax: 60 });
    const [restless, steady] = [await frontrow.build.buyers(30), await frontrow.build.buyers(30)];
    const { queue: one } = frontrow.app.services;
    const { queue: other } = frontrow.instances[1]!.app.services;
    await queue.joinInTurn([...steady, ...restless], concert.id);
    const all = [...steady, ...restless].map((buyer) => buyer.id);
    let running = true;
    const seen = new Set<number>();
    const watchSets = (async () => {
      while (running) {
        const counts = await setsOf(concert.id, all);
        for (const count of counts) expect(count).toBeLessThanOrEqual(1);
        expect(counts.slice(0, steady.length)).toEqual(steady.map(() => 1));
        for (const count of counts) seen.add(count);
      }
    })();
    const viewer = (buyer: Buyer) => ({ userId: buyer.id, role: 'USER' as const, sessionId: buyer.sessionId, tokenExpiresAt: new Date() });
    const act = async (buyer: Buyer, index: number): Promise<void> => {
      for (let round = 0; round < 8; round += 1) {
        const service = (index + round) % 2 ? one : other;
        const { token } = await service.join(viewer(buyer), concert.id);
        const place = (await frontrow.app.tokens.verifyQueue(token))!.place;
        await Promise.all([
          service.complete(concert.id, buyer.id, place),
          index % 3 ? one.leave(viewer(buyer), concert.id) : other.join(viewer(buyer), concert.id),
          round % 4 ? null : other.tick(),
        ]);
      }
    };
    await Promise.all(restless.map(act));
    await Promise.all([one.tick(), other.tick()]);
    running = false;
    await watchSets;
    expect(seen).toEqual(new Set([0, 1]));
    expect(await queue.activeIds(concert.id)).toEqual(expect.arrayContaining(steady.map((buyer) => buyer.id)));
    await Promise.all(restless.map((buyer) => one.join(viewer(buyer), concert.id)));
    expect(await setsOf(concert.id, all)).toEqual(all.map(() => 1));
  });

  test('Q5: control: moved by two commands instead of one script, users are seen in neither set', async () => {
    const concert = await frontrow.build.concert();
    const users = Array.from({ length: 50 }, (_, index) => `user-${index}`);
    await second.zadd(keys.queueWaiting(concert.id), ...users.flatMap((user, index) => [index, user]));
    let lost = 0;
    for (const user of users) {
      await second.zrem(keys.queueWaiting(concert.id), user);
      // What another instance sees at this moment.
      lost += (await setsOf(concert.id, users)).filter((count) => count === 0).length;
      await second.zadd(keys.queueActive(concert.id), Date.now() + 60_000, user);
    }
    expect(lost).toBe(users.length);
  });
});

test('a queue that is forgotten while somebody joins is looked after again, also when the join has to load its script first', async () => {
  const concert = await frontrow.build.concert();
  const buyer = await frontrow.build.buyer();
  const { redis, redisRun } = frontrow.app;
  const never = () => Promise.reject(new Error('recovered'));
  const store = new QueueStore(redis, redisRun, never);
  const slow = await connectFailFast(frontrow.app.stores.redis, pino({ level: 'silent' }));
  expect(await queue.poll(buyer, concert.id)).toBeNull();
  slow.evalsha = (async () => {
    // Whatever the join sends beside its script is done by then.
    for (let pings = 0; pings < 2; pings += 1) await slow.ping();
    await store.forget(concert.id);
    throw new Error('NOSCRIPT No matching script.');
  }) as never;
  expect(await new QueueStore(slow, redisRun, never).join(concert.id, buyer.id, true)).toMatchObject({ status: 'JOINED', place: 1, wakes: true });
  slow.disconnect();
  await queue.tick();
  expect(await queue.activeIds(concert.id)).toEqual([buyer.id]);
});

describe('Q7', () => {
  const tickTogether = (ticks: number) => Promise.all(Array.from({ length: ticks }, (_, index) => queue.tick(index % 2)));

  test('Q7: however many workers tick at once, an interval admits N, active never exceeds its maximum, nobody is admitted twice', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(40);
    await queue.joinInTurn(buyers, concert.id);
    for (const expected of [5, 10, 12, 12]) {
      await tickTogether(10);
      expect(await queue.activeIds(concert.id)).toHaveLength(expected);
      await queue.ageInterval(concert.id, 10_000);
    }
    for (const buyer of buyers.slice(0, 7)) await frontrow.app.services.queue.complete(concert.id, buyer.id, buyers.indexOf(buyer) + 1);
    await Promise.all([...buyers.slice(7, 12).map((buyer) => queue.leave(buyer, concert.id)), tickTogether(10)]);
    expect((await queue.activeIds(concert.id)).length).toBeLessThanOrEqual(12);
    await queue.ageInterval(concert.id, 10_000);
    await tickTogether(4);
    const passes = await queue.passesOf(concert.id);
    expect(new Set(passes.map((pass) => pass.userId)).size).toBe(passes.length);
    const active = await queue.activeIds(concert.id);
    // In order: whoever has been admitted stood before everyone who still waits.
    expect(await queue.waitingIds(concert.id)).toEqual(buyers.slice(12 + active.length).map((buyer) => buyer.id));
    expect(new Set(active)).toEqual(new Set(buyers.slice(12, 12 + active.length).map((buyer) => buyer.id)));
  });

  test('Q7: control: workers that look first and take then admit twice as many', async () => {
    const concert = await frontrow.build.concert();
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    await second.zadd(keys.queueWaiting(concert.id), ...users.flatMap((user, index) => [index, user]));
    const workers = [frontrow.app.redis, second];
    const free = await Promise.all(workers.map(async (redis) => 5 - (await redis.zcard(keys.queueActive(concert.id)))));
    const take = async (redis: Redis, free: number): Promise<void> => {
      const taken = await redis.zpopmin(keys.queueWaiting(concert.id), free);
      for (const user of taken.filter((_, index) => index % 2 === 0)) await redis.zadd(keys.queueActive(concert.id), Date.now() + 60_000, user);
    };
    await Promise.all(workers.map((redis, index) => take(redis, free[index]!)));
    expect(await queue.activeIds(concert.id)).toHaveLength(10);
  });

  test('an admission cut short after its passes were written is finished by the next tick, with one row for each', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(5);
    await queue.joinInTurn(buyers, concert.id);
    // What a worker leaves that dies between the database and the admit script.
    await frontrow.app.transactions.fork().execute(
      `insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at, ended_at, ended_by)
       values (?, ?, 1, null, sysdate(3) + interval 1 second, null, null), (?, ?, 2, null, sysdate(3) - interval 1 hour, sysdate(3), 'TIME')`,
      [concert.id, buyers[0]!.id, concert.id, buyers[1]!.id],
    );
    await queue.tick();
    expect(await queue.activeIds(concert.id)).toHaveLength(5);
    const passes = await queue.passesOf(concert.id);
    expect(passes.map((pass) => [pass.userId, pass.endedBy])).toEqual(buyers.map((buyer) => [buyer.id, null]));
    for (const pass of passes) expect(pass.expiresAt.getTime() - Date.now()).toBeGreaterThan(590_000);
  });

  test('who leaves between the proposal and the admission gets no pass, and the others theirs', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(3);
    await queue.joinInTurn(buyers, concert.id);
    const holder = frontrow.app.transactions.fork();
    await holder.begin();
    // The worker waits for this row after it has made its proposal.
    await holder.execute('insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at) values (?, ?, 1, sysdate(3), sysdate(3) + interval 1 hour)', [
      concert.id, buyers[0]!.id,
    ]);
    const tick = queue.tick(1);
    const em = frontrow.app.transactions.fork();
    await eventually(async () => {
      const [row] = await em.execute<{ waits: number }[]>("select count(*) as waits from information_schema.processlist where db = database() and info like 'insert into queue_pass%'");
      return Number(row!.waits) > 0;
    }, 'the worker to wait');
    // Nobody has a pass before its row is written.
    expect(await queue.activeIds(concert.id)).toEqual([]);
    const left = queue.leave(buyers[0]!, concert.id);
    await eventually(async () => !(await queue.waitingIds(concert.id)).includes(buyers[0]!.id), 'the place to be given up');
    await holder.rollback();
    await tick;
    expect(await left).toBe(true);
    expect(await queue.activeIds(concert.id)).toEqual([buyers[1]!.id, buyers[2]!.id]);
    expect((await queue.passesOf(concert.id)).map((pass) => pass.endedBy)).toEqual(['LEFT', null, null]);
    expect((await queue.poll(buyers[0]!, concert.id))!.status).toBe('EXPIRED');
  });

  test('Q7: rate and maximum are checked again at the moment of admission, and a repeated admission changes nothing', async () => {
    const concert = await frontrow.build.concert();
    const buyers = await frontrow.build.buyers(6);
    await queue.joinInTurn(buyers, concert.id);
    const store = new QueueStore(second, frontrow.app.redisRun, () => Promise.reject(new Error('recovered')));
    const policy = { admitCount: 5, admitIntervalMs: 10_000, activeMax: 12 };
    const proposed = await store.propose(concert.id, policy);
    expect(proposed).toEqual(buyers.slice(0, 5).map((buyer, index) => ({ userId: buyer.id, place: index + 1 })));
    const admit = async (change: Partial<typeof policy>) => (await store.admit(concert.id, { ...policy, ...change }, 60_000, proposed)).outcomes;
    expect(await admit({ activeMax: 2 })).toEqual(['ADMITTED', 'ADMITTED', 'WAITING', 'WAITING', 'WAITING']);
    expect(await admit({ admitCount: 3 })).toEqual(['ALREADY', 'ALREADY', 'ADMITTED', 'WAITING', 'WAITING']);
    expect(await admit({})).toEqual(['ALREADY', 'ALREADY', 'ALREADY', 'ADMITTED', 'ADMITTED']);
    expect(await store.propose(concert.id, policy)).toEqual([]);
  });
});
