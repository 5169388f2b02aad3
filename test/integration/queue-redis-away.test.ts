import { pino } from 'pino';
import { createQueue } from '../../src/app.js';
import { connectFailFast, connectPatient } from '../../src/redis/client.js';
import { keys } from '../../src/redis/keys.js';
import { PubSub } from '../../src/redis/pubsub.js';
import { ServerRun } from '../../src/redis/server-run.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { queueOf } from '../support/queue.js';
import { redisProxy } from '../support/redis-proxy.js';
import { viewerOf } from '../support/sale.js';

let frontrow: Frontrow;
let queue: ReturnType<typeof queueOf>;
beforeAll(async () => {
  frontrow = await startFrontrow();
  queue = queueOf(frontrow);
});
afterAll(() => frontrow.stop());

/** Another instance's waiting room, whose way to Redis can be cut. */
async function instanceBehindProxy() {
  const logger = pino({ level: 'silent' });
  const proxy = await redisProxy(frontrow.app.stores.redis);
  const redis = await connectFailFast(proxy.address, logger);
  const subscriber = connectPatient(proxy.address, logger);
  const { transactions, tokens, metrics, config } = frontrow.app;
  const service = createQueue(redis, new ServerRun(redis), new PubSub(redis, subscriber, metrics, logger), { transactions, tokens, metrics, config, logger });
  const close = async (): Promise<void> => {
    subscriber.disconnect();
    redis.disconnect();
    await proxy.close();
  };
  return { proxy, redis, subscriber, service, close };
}

test('while Redis is away the waiting room answers at once with SERVICE_UNAVAILABLE; the place is there when it is back, and watchers go on', async () => {
  const { proxy, redis, subscriber, service, close } = await instanceBehindProxy();
  const concert = await frontrow.build.concert();
  const [ahead, buyer] = await frontrow.build.buyers(2);
  await queue.setPolicy(concert.id, { activeMax: 0 });
  await queue.join(ahead!, concert.id);
  const viewer = viewerOf(buyer!);
  const { token } = await service.join(viewer, concert.id);
  const positions = await service.watch(viewer, concert.id);
  expect((await positions.next()).value.position).toBe(2);

  await proxy.cut();
  await eventually(() => redis.status !== 'ready' && subscriber.status !== 'ready', 'the connections to break');
  const away = { code: 'SERVICE_UNAVAILABLE', extensions: { retryAfterSeconds: expect.any(Number) } };
  await expect(service.join(viewer, concert.id)).rejects.toMatchObject(away);
  await expect(service.position(viewer, concert.id)).rejects.toMatchObject(away);
  await expect(service.leave(viewer, concert.id)).rejects.toMatchObject(away);
  await expect(service.watch(viewer, concert.id)).rejects.toMatchObject(away);
  await expect(service.requirePass(viewer, token, concert.scheduleId, true)).rejects.toMatchObject(away);
  await expect(service.complete(concert.id, buyer!.id, 2)).rejects.toThrow();

  await proxy.restore();
  await eventually(() => redis.status === 'ready' && subscriber.status === 'ready', 'the connections to come back');
  expect((await service.join(viewer, concert.id)).position.position).toBe(2);
  const next = positions.next();
  await queue.leave(ahead!, concert.id);
  // The subscription comes back a moment after the connection: the line moves again until it is heard.
  let heard = false;
  void next.then(() => (heard = true));
  await eventually(async () => {
    await frontrow.app.redis.hset(keys.queueState(concert.id), 'dirty', 1);
    await queue.tick();
    return heard;
  }, 'the watcher to hear of the move');
  expect((await next).value.position).toBe(1);
  await positions.return!();
  await close();
});

test('Q3: an instance that finds Redis again and the place of a watcher gone brings it back, without a message from anyone', async () => {
  const { proxy, redis, subscriber, service, close } = await instanceBehindProxy();
  const concert = await frontrow.build.concert();
  const viewer = viewerOf(await frontrow.build.buyer());
  await service.join(viewer, concert.id);
  const positions = await service.watch(viewer, concert.id);
  expect((await positions.next()).value.status).toBe('WAITING');
  await proxy.cut();
  await eventually(() => redis.status !== 'ready', 'the connection to break');
  await frontrow.app.redis.flushdb();
  await proxy.restore();
  await eventually(async () => (await queue.waitingIds(concert.id)).includes(viewer.userId), 'the place to be back');
  await positions.return!();
  await eventually(() => subscriber.status === 'ready', 'the other connection');
  await close();
});
