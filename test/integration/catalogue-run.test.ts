import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { LastKnown } from '../../src/database/last-known.js';
import { DatabaseSigns } from '../../src/database/pool-watch.js';
import { Metrics } from '../../src/metrics.js';
import { CatalogueGeneration } from '../../src/redis/catalogue-generation.js';
import { connectFailFast, connectPatient } from '../../src/redis/client.js';
import { keys } from '../../src/redis/keys.js';
import { PubSub } from '../../src/redis/pubsub.js';
import { ServerRun } from '../../src/redis/server-run.js';
import { SharedCopies } from '../../src/redis/shared-copies.js';
import { Catalogue } from '../../src/services/catalogue.js';
import { eventually } from '../support/eventually.js';
import { startOwnRedis, type OwnRedis } from '../support/own-redis.js';

/** A Redis that has lost the count of the catalogue's changes, or remembers an old one: what is changed afterwards is heard of all the same. */

const logger = pino({ level: 'silent' });
let server: OwnRedis;
let redis: Redis;
let subscriber: Redis;
let run: ServerRun;
let pubsub: PubSub;
beforeAll(async () => {
  server = await startOwnRedis();
  redis = await connectFailFast(server.address, logger);
  subscriber = connectPatient(server.address, logger);
  run = new ServerRun(redis);
  pubsub = new PubSub(redis, subscriber, new Metrics(logger), logger);
});
afterAll(async () => {
  redis.disconnect();
  subscriber.disconnect();
  await server.stop();
});

const catalogue = () => new Catalogue(new CatalogueGeneration(redis, run), new SharedCopies(redis), pubsub, new LastKnown(new DatabaseSigns()));
const read = (one: Catalogue) => one.one('concert', 'a', async () => ({ title: 'Night' }));

test('C5: a change is heard of by who has read in a run of Redis that remembers less', async () => {
  const [mine, other] = [catalogue(), catalogue()];
  await Promise.all([mine, other].map(read));
  const before = await run.current();
  await server.saveDump();
  for (const _time of [1, 2]) await mine.changed();
  await Promise.all([mine, other].map(read));
  await server.restartFromDump();
  await eventually(async () => (await run.current().catch(() => before)) !== before && (await heard()), 'the connections');
  for (const one of [mine, other]) {
    one.hear();
    await read(one);
  }
  const { version } = other;
  await mine.changed();
  await eventually(() => other.version > version, 'the change');
});

test('C5: and by who has read under a count that Redis has lost', async () => {
  const [mine, other] = [catalogue(), catalogue()];
  await Promise.all([mine, other].map(read));
  await redis.del(keys.catalogue(await run.current()));
  const { version } = other;
  await mine.changed();
  await eventually(() => other.version > version, 'the change');
});

/** The channels are subscribed to again. */
const heard = async (): Promise<boolean> => ((await redis.pubsub('NUMSUB', 'frontrow:catalogue-changed').catch(() => [])) as unknown[])[1] === 1;
