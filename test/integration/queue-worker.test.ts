import type { Client } from 'graphql-ws';
import { keys } from '../../src/redis/keys.js';
import { WatchQueuePositionDocument } from '../graphql/operations.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import type { Buyer } from '../support/builder.js';

const TICK_MS = 20;
const ADMIT_COUNT = 3;
const INTERVAL_MS = 400;
const PASS_TTL_MS = 60_000;
const GRACE_MS = 900;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const clients: Client[] = [];
beforeAll(async () => {
  frontrow = await startFrontrow({
    instances: 2,
    worker: true,
    env: {
      QUEUE_TICK_MS: String(TICK_MS), QUEUE_ADMIT_COUNT: String(ADMIT_COUNT), QUEUE_ADMIT_INTERVAL_MS: String(INTERVAL_MS),
      QUEUE_PASS_TTL_MS: String(PASS_TTL_MS), QUEUE_ABSENCE_GRACE_MS: String(GRACE_MS), QUEUE_REBUILD_GRACE_MS: '500',
    },
  });
  queue = queueOf(frontrow);
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.dispose()));
  await frontrow.stop();
});

function watch(buyer: Buyer, concertId: string, instance: number) {
  const client = websocketClient(frontrow.client(instance).url, buyer);
  clients.push(client);
  return { ...collect(client, WatchQueuePositionDocument, { concertId }), client };
}

test('Q7: the workers admit N in each interval, in order, and keep the rate over several intervals', async () => {
  const opensAt = new Date(Date.now() + 60_000);
  const concert = await frontrow.build.concert({ saleOpensAt: opensAt });
  const buyers = await frontrow.build.buyers(5 * ADMIT_COUNT);
  const watched: ReturnType<typeof watch>[] = [];
  for (const [index, buyer] of buyers.entries()) {
    await queue.join(buyer, concert.id);
    // Before the next one joins: however long all of that takes, nobody is out of sight for longer than the grace.
    watched.push(watch(buyer, concert.id, index % 2));
    await watched[index]!.until(() => true);
  }
  expect(await queue.activeIds(concert.id)).toEqual([]);
  await frontrow.app.transactions.fork().execute('update concert set sale_opens_at = sysdate(3) where id = ?', [concert.id]);
  const passes = await Promise.all(watched.map((one) => one.until(({ queuePosition }) => queuePosition.status === 'ACTIVE')));
  const admittedAt = passes.map(({ queuePosition }) => Date.parse(queuePosition.expiresAt!) - PASS_TTL_MS);
  expect(admittedAt).toEqual(admittedAt.toSorted((a, b) => a - b));
  const gridAt = Number(await frontrow.app.redis.hget(keys.queueState(concert.id), 'interval_at'));
  const intervals = admittedAt.map((at) => Math.floor((at - gridAt) / INTERVAL_MS));
  const perInterval = Map.groupBy(intervals, (interval) => interval);
  for (const admissions of perInterval.values()) expect(admissions.length).toBeLessThanOrEqual(ADMIT_COUNT);
  expect(perInterval.size).toBeGreaterThanOrEqual(5);
  expect(intervals.at(-1)! - intervals[0]!).toBeGreaterThanOrEqual(4);
});

test('Q8: with the workers on, who watches or comes back in time keeps the place, who vanished loses it, and the line closes up', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [vanishing, watching, returning] = await frontrow.build.buyers(3);
  await queue.joinInTurn([vanishing!, watching!, returning!], concert.id);
  const stays = watch(watching!, concert.id, 0);
  const goes = watch(returning!, concert.id, 1);
  await Promise.all([stays.until(() => true), goes.until(({ queuePosition }) => queuePosition.position === 3)]);
  await goes.client.dispose();
  const back = watch(returning!, concert.id, 0);
  await stays.until(({ queuePosition }) => queuePosition.position === 1);
  await back.until(({ queuePosition }) => queuePosition.position === 2);
  expect(await queue.waitingIds(concert.id)).toEqual([watching!.id, returning!.id]);
  expect((await queue.poll(vanishing!, concert.id))!.status).toBe('EXPIRED');
  // The watchers outlive the grace by the heartbeats alone.
  const seenAt = async () => Number(await frontrow.app.redis.zscore(keys.queueSeen(concert.id), returning!.id));
  const first = await seenAt();
  await eventually(async () => (await seenAt()) > first + GRACE_MS, 'heartbeats over more than the grace');
  expect(await queue.waitingIds(concert.id)).toEqual([watching!.id, returning!.id]);
});

test('Q6: the workers end a pass at its time and give its room to the next', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 1 });
  const [first, next] = await frontrow.build.buyers(2);
  await queue.joinInTurn([first!, next!], concert.id);
  const [ending, waiting] = [watch(first!, concert.id, 0), watch(next!, concert.id, 1)];
  await ending.until(({ queuePosition }) => queuePosition.status === 'ACTIVE');
  await waiting.until(({ queuePosition }) => queuePosition.status === 'WAITING');
  await queue.agePass(concert.id, first!.id, PASS_TTL_MS);
  await ending.completed;
  expect(ending.messages.at(-1)!.queuePosition.status).toBe('EXPIRED');
  await waiting.until(({ queuePosition }) => queuePosition.status === 'ACTIVE');
});

test('Q7: a job that comes by itself keeps its beat, however often it is set', async () => {
  const { jobs, redis } = frontrow.app;
  const beatOf = async (name: string) => Number(await redis.zscore(`${keys.jobs()}:${name}:repeat`, name));
  const sweepAt = await beatOf('sweep');
  for (let times = 0; times < 100; times += 1) {
    await jobs.schedule('sweep', frontrow.app.config.sweepIntervalMs, {});
    await jobs.schedule('admission', TICK_MS, {});
    // Never further away than one interval: no tick is left out for it.
    const nextAt = await beatOf('admission');
    expect(nextAt - Date.now()).toBeLessThanOrEqual(TICK_MS);
  }
  // The job's own turn may come meanwhile, by whole intervals.
  expect(((await beatOf('sweep')) - sweepAt) % frontrow.app.config.sweepIntervalMs).toBe(0);
  const next = await beatOf('admission');
  await eventually(async () => (await beatOf('admission')) > next + 5 * TICK_MS, 'the next ticks');
  const [delayed, waiting, active] = await Promise.all([
    redis.zcard(`${keys.jobs()}:admission:delayed`), redis.llen(`${keys.jobs()}:admission:wait`), redis.llen(`${keys.jobs()}:admission:active`),
  ]);
  expect(delayed + waiting + active).toBeLessThanOrEqual(3);
});

test('Q7, Q10: after Redis has lost everything the living workers bring the line back and admit again in its order, and sweep', async () => {
  const concert = await frontrow.build.concert();
  const [before, after] = await frontrow.build.buyers(2);
  await queue.setPolicy(concert.id, { activeMax: 0 });
  await queue.join(before!, concert.id);
  const watched = watch(before!, concert.id, 1);
  await watched.until(() => true);
  await frontrow.app.redis.flushdb();
  await queue.join(after!, concert.id);
  await queue.setPolicy(concert.id, { activeMax: 1 });
  await watched.until(({ queuePosition }) => queuePosition.status === 'ACTIVE');
  expect((await queue.poll(after!, concert.id))!.status).toBe('WAITING');
  expect(await queue.leave(before!, concert.id)).toBe(true);
  await eventually(async () => (await queue.poll(after!, concert.id))!.status === 'ACTIVE', 'the admission');
  expect(await frontrow.app.redis.zscore(`${keys.jobs()}:sweep:repeat`, 'sweep')).not.toBeNull();
});
