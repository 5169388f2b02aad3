import { pino } from 'pino';
import { connectFailFast, connectPatient } from '../../src/redis/client.js';
import { PubSub, topics } from '../../src/redis/pubsub.js';
import { Metrics } from '../../src/metrics.js';
import { eventually } from '../support/eventually.js';
import { redisProxy } from '../support/redis-proxy.js';
import { freshStores } from '../support/stores.js';

test('a connection that closes while Redis has not answered who comes to listen and who leaves rejects nothing unheard, which would end the process', async () => {
  const stores = await freshStores();
  const logger = pino({ level: 'silent' });
  const proxy = await redisProxy(stores.redis);
  const [publisher, subscriber] = [await connectFailFast(proxy.address, logger), connectPatient(proxy.address, logger)];
  await eventually(() => subscriber.status === 'ready', 'the subscriber');
  const unheard: unknown[] = [];
  const hear = (reason: unknown): void => void unheard.push(reason);
  process.on('unhandledRejection', hear);
  const pubsub = new PubSub(publisher, subscriber, new Metrics(logger), logger);
  const leave = await pubsub.listen<'reservationChanged'>(topics.reservationChanged('who leaves'), () => undefined);
  proxy.silence();
  leave();
  const first = pubsub.iterate<'reservationChanged'>(topics.reservationChanged('somebody')).next();
  subscriber.disconnect();
  await expect(first).rejects.toThrow('Connection is closed.');
  await eventually(() => subscriber.status === 'end', 'the end of the connection');
  process.off('unhandledRejection', hear);
  expect(unheard).toEqual([]);
  publisher.disconnect();
  await proxy.close();
});

test('messages that are due together are one call, and each reaches its own listeners in its turn', async () => {
  const stores = await freshStores();
  const logger = pino({ level: 'silent' });
  const [publisher, subscriber] = [await connectFailFast(stores.redis, logger), connectPatient(stores.redis, logger)];
  const pubsub = new PubSub(publisher, subscriber, new Metrics(logger), logger);
  const heard: string[] = [];
  for (const user of ['a', 'b']) await pubsub.listen<'reservationChanged'>(topics.reservationChanged(user), ({ reservationId }) => heard.push(`${user} ${reservationId}`));
  const messages = ['a 1', 'b 1', 'c 1', 'a 2'].map((text) => ({ topic: topics.reservationChanged(text[0]!), message: { reservationId: text[2]! } }));
  await pubsub.publishAll<'reservationChanged'>(messages);
  await eventually(() => heard.length >= 3, 'the messages');
  expect(heard).toEqual(['a 1', 'b 1', 'a 2']);
  for (const redis of [publisher, subscriber]) redis.disconnect();
});
