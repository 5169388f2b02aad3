import { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { keys } from '../../src/redis/keys.js';
import { SeatGate, type Attempt } from '../../src/redis/seat-gate.js';
import { ServerRun } from '../../src/redis/server-run.js';
import { eventually } from '../support/eventually.js';
import { endGateEntries, gateEndsIn } from '../support/gate.js';
import { freshStores } from '../support/stores.js';

/** Counts the scripts it is asked to run: the server counts those of everybody. */
class CountingRedis extends Redis {
  scripts = 0;

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    if (args[0].name === 'evalsha') this.scripts += 1;
    return super.sendCommand(...args);
  }
}

let redis: CountingRedis;
let run: ServerRun;
let gate: SeatGate;
beforeAll(async () => {
  redis = new CountingRedis((await freshStores()).redis);
  run = new ServerRun(redis);
  gate = new SeatGate(redis, run);
});
afterAll(() => redis.disconnect());

const someone = (numbers: number[], date = { concertId: uuid(), scheduleId: uuid() }): Attempt => ({ ...date, userId: uuid(), attemptId: uuid(), numbers });
const rival = ({ concertId, scheduleId }: Attempt, numbers: number[]): Attempt => someone(numbers, { concertId, scheduleId });
const entries = async ({ concertId, scheduleId }: Attempt) => redis.hgetall(keys.seatGate(await run.current(), concertId, scheduleId));

test('all seats or none: the loser hears which are taken, and takes nothing', async () => {
  const first = someone([1, 2]);
  expect(await gate.take(first)).toMatchObject({ taken: [] });
  expect((await gate.take(rival(first, [2, 3]))).taken).toEqual([2]);
  expect(Object.keys(await entries(first))).toEqual(['1', '2']);
  expect((await gate.take(rival(first, [3]))).taken).toEqual([]);
});

test('V3: an attempt that nobody confirms gives its seats back after ten seconds', async () => {
  const first = someone([1]);
  await gate.take(first);
  const endsIn = (await gateEndsIn(redis, { id: first.concertId, scheduleId: first.scheduleId })).get(1)!;
  expect(endsIn).toBeGreaterThan(8000);
  expect(endsIn).toBeLessThanOrEqual(10_000);
});

test('attempts of one turn, at whatever dates of a concert, share calls of at most 64, and each hears of its own', async () => {
  const first = someone([1]);
  const others = Array.from({ length: 64 }, (_, index) => someone([1], { concertId: first.concertId, scheduleId: index % 2 === 0 ? first.scheduleId : uuid() }));
  const before = redis.scripts;
  const answers = await Promise.all([first, ...others].map((attempt) => gate.take(attempt)));
  expect(redis.scripts - before).toBe(2);
  expect(answers.map(({ taken }) => taken)).toEqual([[], ...others.map((_, index) => (index % 2 === 0 ? [1] : []))]);
  for (const other of others.filter((_, index) => index % 2 === 1)) expect((await entries(other))['1']).toContain(other.attemptId);
  const ttl = await redis.pttl(keys.seatGate(await run.current(), first.concertId, others.at(-1)!.scheduleId));
  expect(ttl).toBeGreaterThan(86_400_000);
  // Control: one after the other, each is a call.
  for (const attempt of others.slice(0, 3)) await gate.take(attempt);
  expect(redis.scripts - before).toBe(5);
});

test('entries of the same user let pass and stay as they are', async () => {
  const first = someone([1]);
  await gate.take(first);
  const before = await entries(first);
  expect((await gate.take({ ...first, attemptId: uuid() })).taken).toEqual([]);
  expect(await entries(first)).toEqual(before);
});

test('V2: an entry lets others pass when its end has come, and not before', async () => {
  const first = someone([1]);
  const { takenAt } = await gate.take(first);
  const endsAt = takenAt + 300;
  await gate.confirm([{ ...first, id: first.attemptId, endsAt }]);
  const next = rival(first, [1]);
  const taken = await eventually(async () => {
    const answer = await gate.take(next);
    return answer.taken.length === 0 && answer;
  }, 'the end of the entry');
  expect(taken.takenAt).toBeGreaterThanOrEqual(endsAt);
});

test('what is sold stays sold for everyone, its buyer too, until it is freed or ten seconds have passed', async () => {
  const first = someone([1]);
  const { takenAt } = await gate.take(first);
  await gate.confirm([{ ...first, id: first.attemptId, endsAt: takenAt + 300_000 }]);
  await gate.sold([{ ...first, id: first.attemptId }]);
  expect((await gate.take({ ...first, attemptId: uuid() })).taken).toEqual([1]);
  expect((await gate.take(rival(first, [1]))).taken).toEqual([1]);
  await gate.free(first, uuid());
  expect((await gate.take(rival(first, [1]))).taken).toEqual([1]);
  const date = { id: first.concertId, scheduleId: first.scheduleId };
  const endsIn = (await gateEndsIn(redis, date)).get(1)!;
  expect(endsIn).toBeGreaterThan(5_000);
  expect(endsIn).toBeLessThanOrEqual(10_000);
  const sold = await entries(first);
  await gate.free(first, first.attemptId);
  expect((await gate.take(rival(first, [1]))).taken).toEqual([]);

  await redis.hset(keys.seatGate(await run.current(), first.concertId, first.scheduleId), sold);
  expect((await gate.take(rival(first, [1]))).taken).toEqual([1]);
  await endGateEntries(redis, date);
  expect((await gate.take(rival(first, [1]))).taken).toEqual([]);
});

test('a late confirmation or sale brings nothing back that was freed or taken by another since', async () => {
  const first = someone([1, 2]);
  const { takenAt } = await gate.take(first);
  await gate.free(first, first.attemptId);
  const next = rival(first, [2]);
  await gate.take(next);
  await gate.confirm([{ ...first, id: first.attemptId, endsAt: takenAt + 60_000 }]);
  await gate.sold([{ ...first, id: first.attemptId }]);
  expect(Object.keys(await entries(first))).toEqual(['2']);
  expect((await entries(first))['2']).toContain(next.attemptId);
});

test('holds and sales of several dates of a concert are kept in one call, and a sale that is told twice is believed no longer for it', async () => {
  const [one, other] = [someone([1, 2]), someone([3])].map((attempt, index, [first]) => (index === 0 ? attempt : { ...attempt, concertId: first!.concertId })) as [Attempt, Attempt];
  const { takenAt } = await gate.take(one);
  await gate.take(other);
  const before = redis.scripts;
  await Promise.all([gate.confirm([{ ...one, id: one.attemptId, endsAt: takenAt + 60_000 }]), gate.sold([{ ...other, id: other.attemptId }])]);
  expect(redis.scripts - before).toBe(1);
  expect(await entries(one)).toEqual({ 1: `${one.userId}|${one.attemptId}|${takenAt + 60_000}`, 2: `${one.userId}|${one.attemptId}|${takenAt + 60_000}` });
  const sold = await entries(other);
  expect(sold['3']).toMatch(`|${other.attemptId}|`);
  await gate.sold([{ ...other, id: other.attemptId }]);
  expect(await entries(other)).toEqual(sold);
});

test('what the database knew better is believed for a second at most, a sale for ten, and never over a live entry of another', async () => {
  const loser = someone([1, 2, 3]);
  const { takenAt } = await gate.take(loser);
  const holder = { userId: uuid(), reservationId: uuid() };
  await gate.learn(loser, takenAt, [
    { number: 1, ...holder, remainingMs: null },
    { number: 2, ...holder, remainingMs: 3_600_000 },
    { number: 3, ...holder, remainingMs: -1 },
  ]);
  const learned = await entries(loser);
  expect(learned['1']!.startsWith(`|${holder.reservationId}|`)).toBe(true);
  expect(learned['2']!.startsWith(`${holder.userId}|${holder.reservationId}|`)).toBe(true);
  const endsIn = await gateEndsIn(redis, { id: loser.concertId, scheduleId: loser.scheduleId });
  expect(endsIn.get(1)).toBeGreaterThan(5_000);
  expect(endsIn.get(1)).toBeLessThanOrEqual(10_000);
  expect(endsIn.get(2)).toBeLessThanOrEqual(1_000);
  expect(learned['3']).toContain(loser.attemptId);
  await gate.learn(rival(loser, [1]), takenAt, [{ number: 1, userId: uuid(), reservationId: uuid(), remainingMs: null }]);
  expect((await entries(loser))['1']).toBe(learned['1']);
});

test('the scripts find their way back when Redis has forgotten them', async () => {
  await redis.script('FLUSH');
  expect((await gate.take(someone([1]))).taken).toEqual([]);
});
