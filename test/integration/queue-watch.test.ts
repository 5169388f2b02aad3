import type { Client } from 'graphql-ws';
import { keys } from '../../src/redis/keys.js';
import { topics } from '../../src/redis/pubsub.js';
import { WatchQueuePositionDocument, type WatchQueuePositionSubscription } from '../graphql/operations.js';
import type { Buyer } from '../support/builder.js';
import { websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { openSocket } from '../support/raw-socket.js';
import { viewerOf } from '../support/sale.js';

const HOUR_MS = 3_600_000;
const GRACE_MS = 300_000;
const HEARTBEAT_EVERY_MS = 5000;

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
const clients: Client[] = [];
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_ADMIT_COUNT: '1', QUEUE_ACTIVE_MAX: '100' }, brokenOnPurpose: { invariants: ['place-of-epoch'], because: 'a crowd gets its places by hand' } });
  queue = queueOf(frontrow);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
  await queue.forgetAll();
});
afterAll(() => frontrow.stop());

function watch(buyer: Buyer, concertId: string, instance = 0) {
  const client = websocketClient(frontrow.client(instance).url, buyer);
  clients.push(client);
  return collect(client, WatchQueuePositionDocument, { concertId });
}
const isAt = (position: number) => (message: WatchQueuePositionSubscription) => message.queuePosition.position === position;
const is = (status: string) => (message: WatchQueuePositionSubscription) => message.queuePosition.status === status;
const listeners = async (concertId: string): Promise<number> =>
  Number(((await frontrow.app.redis.pubsub('NUMSUB', topics.queueMoved(concertId))) as [string, number])[1]);
/** As if the last heartbeat had been due. */
const ageHeartbeat = (concertId: string) => frontrow.app.redis.hincrby(keys.queueState(concertId), 'heartbeat_at', -HEARTBEAT_EVERY_MS);

test('Q3: a watcher hears the position now, each move of the line on another instance, the admission and the end, and then it completes', async () => {
  const concert = await frontrow.build.concert();
  const buyers = await frontrow.build.buyers(3);
  await queue.joinInTurn(buyers, concert.id);
  const watched = watch(buyers[2]!, concert.id, 1);
  await watched.until(isAt(3));
  await queue.tick();
  await watched.until(isAt(2));
  expect(await queue.leave(buyers[1]!, concert.id)).toBe(true);
  await queue.tick();
  await watched.until(isAt(1));
  await queue.ageInterval(concert.id, 10_000);
  await queue.tick();
  const { queuePosition: active } = await watched.until(is('ACTIVE'));
  expect(Date.parse(active.expiresAt!) - Date.now()).toBeGreaterThan(590_000);
  await frontrow.app.services.queue.complete(concert.id, buyers[2]!.id, 3);
  await watched.completed;
  expect(watched.messages.map(({ queuePosition }) => [queuePosition.status, queuePosition.position])).toEqual([
    ['WAITING', 3], ['WAITING', 2], ['WAITING', 1], ['ACTIVE', 0], ['COMPLETED', 0],
  ]);
  await eventually(async () => (await listeners(concert.id)) === 0, 'nobody to listen any more');
});

test('Q3: leaving on another instance and the end of the time are told at once as EXPIRED', async () => {
  const concert = await frontrow.build.concert();
  const [leaver, sleeper] = await frontrow.build.buyers(2);
  await queue.joinInTurn([sleeper!, leaver!], concert.id);
  await queue.tick();
  const [left, slept] = [watch(leaver!, concert.id, 1), watch(sleeper!, concert.id, 1)];
  await Promise.all([left.until(is('WAITING')), slept.until(is('ACTIVE'))]);
  await queue.leave(leaver!, concert.id, 0);
  await left.completed;
  expect(left.messages.at(-1)!.queuePosition.status).toBe('EXPIRED');
  await queue.agePass(concert.id, sleeper!.id, HOUR_MS);
  await queue.tick();
  await slept.completed;
  expect(slept.messages.at(-1)!.queuePosition).toMatchObject({ status: 'EXPIRED', expiresAt: null });
});

test('Q3: who has not joined is refused; who has ended hears that once', async () => {
  const concert = await frontrow.build.concert();
  const [stranger, ended] = await frontrow.build.buyers(2);
  const refused = watch(stranger!, concert.id);
  await eventually(() => refused.errors.length > 0, 'a refusal');
  expect(refused.errors[0]!.extensions!['code']).toBe('QUEUE_TOKEN_REQUIRED');
  await queue.join(ended!, concert.id);
  await queue.leave(ended!, concert.id);
  const late = watch(ended!, concert.id);
  await late.completed;
  expect(late.messages.map(({ queuePosition }) => queuePosition.status)).toEqual(['EXPIRED']);
  await eventually(async () => (await listeners(concert.id)) === 0, 'nobody to listen any more');
});

test('Q3: many watchers of one queue share one listener, and a socket that goes leaves nothing behind', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const buyers = await frontrow.build.buyers(12);
  await queue.joinInTurn(buyers, concert.id);
  const watching = buyers.map((buyer) => watch(buyer, concert.id, 1));
  await Promise.all(watching.map((watched, index) => watched.until(isAt(index + 1))));
  expect(await listeners(concert.id)).toBe(1);
  await queue.leave(buyers[0]!, concert.id);
  await queue.tick();
  await Promise.all(watching.slice(1).map((watched, index) => watched.until(isAt(index + 1))));
  // Without news there is nothing to send.
  await ageHeartbeat(concert.id);
  await queue.tick();
  const [last, ...others] = clients.toReversed();
  await Promise.all(others.map((client) => client.dispose()));
  expect(watching.at(-1)!.messages).toHaveLength(2);
  expect(await listeners(concert.id)).toBe(1);
  await last!.dispose();
  await eventually(async () => (await listeners(concert.id)) === 0, 'nobody to listen any more');
});

test('Q8: who is connected is seen by the heartbeats; who went away keeps the place for the grace, comes back and finds it', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [ahead, connected, gone] = await frontrow.build.buyers(3);
  await queue.joinInTurn([ahead!, gone!, connected!], concert.id);
  const stays = watch(connected!, concert.id, 0);
  const goes = watch(gone!, concert.id, 1);
  await Promise.all([stays.until(isAt(3)), goes.until(isAt(2))]);
  goes.stop();
  await clients[1]!.dispose();
  await queue.tick();
  for (const buyer of [ahead!, connected!, gone!]) await queue.ageSight(concert.id, buyer.id, GRACE_MS - 60_000);
  const seenBefore = Number(await frontrow.app.redis.zscore(keys.queueSeen(concert.id), connected!.id));
  await ageHeartbeat(concert.id);
  await queue.tick();
  await eventually(async () => Number(await frontrow.app.redis.zscore(keys.queueSeen(concert.id), connected!.id)) > seenBefore + GRACE_MS / 2, 'the heartbeat');
  const back = watch(gone!, concert.id, 0);
  await back.until(isAt(2));
  // Only the first in line was not seen again: neither watching, nor polling, nor coming back.
  for (const buyer of [ahead!, connected!, gone!]) await queue.ageSight(concert.id, buyer.id, 60_000);
  await queue.tick();
  expect((await queue.poll(ahead!, concert.id))!.status).toBe('EXPIRED');
  await Promise.all([back.until(isAt(1)), stays.until(isAt(2))]);
});

test('Q3: a lost message is made good by the next heartbeat', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [first, second] = await frontrow.build.buyers(2);
  await queue.joinInTurn([first!, second!], concert.id);
  const watched = watch(second!, concert.id);
  await watched.until(isAt(2));
  await queue.tick();
  await frontrow.app.redis.zrem(keys.queueWaiting(concert.id), first!.id);
  await ageHeartbeat(concert.id);
  await queue.tick();
  await watched.until(isAt(1));
});

test('Q3: an iterator given back before its first message leaves nothing behind', async () => {
  const concert = await frontrow.build.concert();
  const buyer = await frontrow.build.buyer();
  await queue.join(buyer, concert.id);
  const positions = await frontrow.app.services.queue.watch(viewerOf(buyer), concert.id);
  await positions.return!();
  expect(await positions.next()).toEqual({ value: undefined, done: true });
  await eventually(async () => (await listeners(concert.id)) === 0, 'nobody to listen any more');
});

test('Q3: a socket that goes while its subscription is still starting leaves nothing behind', async () => {
  const concert = await frontrow.build.concert();
  const buyers = await frontrow.build.buyers(10);
  await queue.joinInTurn(buyers, concert.id);
  const { metrics } = frontrow.app;
  const counted = async (name: string) =>
    (await metrics.registry.getSingleMetric(name)!.get()).values
      .filter(({ labels: { field, code = 'OK' } }) => field === 'queuePosition' && code === 'OK')
      .reduce((sum, { value }) => sum + value, 0);
  const before = await counted('frontrow_operations_total');
  const query = `subscription { queuePosition(concertId: "${concert.id}") { position } }`;
  for (const buyer of buyers) {
    const raw = await openSocket(frontrow.client().url);
    await raw.init({ authorization: `Bearer ${buyer.accessToken}` });
    raw.send({ type: 'subscribe', id: '1', payload: { query } });
    raw.close();
  }
  await eventually(async () => (await counted('frontrow_operations_total')) === before + buyers.length, 'every subscription to have started');
  await eventually(async () => (await counted('frontrow_subscriptions_open')) === 0 && (await listeners(concert.id)) === 0, 'nobody to listen any more');
});

test('Q3: a slow reader gets the latest position, not all of them', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const buyers = await frontrow.build.buyers(4);
  await queue.joinInTurn(buyers, concert.id);
  const { queue: service } = frontrow.app.services;
  const slow = await service.watch(viewerOf(buyers[3]!), concert.id);
  const quick = watch(buyers[3]!, concert.id);
  for (const [index, buyer] of buyers.slice(0, 3).entries()) {
    await quick.until(isAt(4 - index));
    await queue.leave(buyer, concert.id);
    await queue.tick();
  }
  await quick.until(isAt(1));
  expect((await slow.next()).value.position).toBe(1);
  await queue.leave(buyers[3]!, concert.id);
  expect((await slow.next()).value.status).toBe('EXPIRED');
  expect((await slow.next()).done).toBe(true);
});

test('Q3: far back in a long line one hears of moves with the next heartbeat, at the head with the next tick', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [first, last] = await frontrow.build.buyers(2);
  await queue.joinInTurn([first!, last!], concert.id);
  const waiting = keys.queueWaiting(concert.id);
  const crowd = Array.from({ length: 4000 }, (_, index) => `someone-${index}`);
  await frontrow.app.redis.zadd(waiting, ...crowd.flatMap((user, index) => [1 + (index + 1) / 10_000, user]));
  await frontrow.app.redis.zadd(waiting, 0, 'a-leaver');
  const [near, far] = [watch(first!, concert.id), watch(last!, concert.id)];
  await Promise.all([near.until(isAt(2)), far.until(isAt(4003))]);
  await frontrow.app.redis.zadd(keys.queueSeen(concert.id), 1, last!.id);
  await queue.tick();
  await eventually(async () => (await frontrow.app.redis.zscore(keys.queueSeen(concert.id), last!.id)) !== '1', 'the first heartbeat');
  await frontrow.app.redis.zrem(waiting, 'a-leaver');
  await frontrow.app.redis.hset(keys.queueState(concert.id), 'dirty', 1);
  await queue.tick();
  await near.until(isAt(1));
  expect(far.messages).toHaveLength(1);
  await ageHeartbeat(concert.id);
  await queue.tick();
  await far.until(isAt(4002));
});

test('Q3: the first 1,000 in line hear of a move with the next tick, those behind them with the next heartbeat at the latest', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [tenth, behind] = await frontrow.build.buyers(2);
  const waiting = keys.queueWaiting(concert.id);
  const crowd = Array.from({ length: 1050 }, (_, index) => `someone-${index}`);
  crowd[9] = tenth!.id;
  crowd[1039] = behind!.id;
  await queue.join(tenth!, concert.id);
  await queue.join(behind!, concert.id);
  await frontrow.app.redis.zadd(waiting, ...crowd.flatMap((user, index) => [index + 1, user]));
  const [near, far] = [watch(tenth!, concert.id, 0), watch(behind!, concert.id, 1)];
  await Promise.all([near.until(isAt(10)), far.until(isAt(1040))]);
  await queue.tick();
  const move = async (): Promise<void> => {
    await frontrow.app.redis.zremrangebyrank(waiting, 0, 0);
    await frontrow.app.redis.hset(keys.queueState(concert.id), 'dirty', 1);
    await queue.tick();
  };
  // A tick is due several times a second, a heartbeat at least every 5 s.
  await move();
  await near.until(isAt(9));
  await ageHeartbeat(concert.id);
  await move();
  await Promise.all([near.until(isAt(8)), far.until(isAt(1038))]);
});

test('Q8: while the database takes no passes nobody is told of one, and who is connected is still seen', async () => {
  const concert = await frontrow.build.concert();
  const buyer = await frontrow.build.buyer();
  await queue.join(buyer, concert.id);
  const watched = watch(buyer, concert.id, 1);
  await watched.until(isAt(1));
  await frontrow.app.redis.zadd(keys.queueSeen(concert.id), 1, buyer.id);
  const em = frontrow.app.transactions.fork();
  await em.execute("create trigger no_passes before insert on queue_pass for each row signal sqlstate '45000'");
  await expect(queue.tick()).rejects.toThrow();
  await eventually(async () => (await frontrow.app.redis.zscore(keys.queueSeen(concert.id), buyer.id)) !== '1', 'the heartbeat');
  expect(await queue.activeIds(concert.id)).toEqual([]);
  await em.execute('drop trigger no_passes');
  await queue.tick();
  await watched.until(is('ACTIVE'));
  expect(watched.messages.map(({ queuePosition }) => queuePosition.status)).toEqual(['WAITING', 'ACTIVE']);
});

test('Q3: one who comes among the first 1,000 by a great move hears of it with the same tick', async () => {
  const concert = await frontrow.build.concert();
  await queue.setPolicy(concert.id, { activeMax: 0 });
  const [buyer] = await frontrow.build.buyers(1);
  await queue.join(buyer!, concert.id);
  const waiting = keys.queueWaiting(concert.id);
  const crowd = Array.from({ length: 2500 }, (_, index) => `someone-${index}`);
  await frontrow.app.redis.zadd(waiting, ...[...crowd, buyer!.id].flatMap((user, index) => [index + 1, user]));
  const watched = watch(buyer!, concert.id);
  await watched.until(isAt(2501));
  await queue.tick();
  await queue.setPolicy(concert.id, { admitCount: 2000, activeMax: 2000 });
  await queue.tick();
  await watched.until(isAt(501));
});
