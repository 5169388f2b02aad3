import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { MikroORM } from '@mikro-orm/mysql';
import type { StoreAddresses } from '../../src/app.js';
import type { DatabaseAddress } from '../../src/database/orm.config.js';

/** The MariaDB and the Redises that scripts/test.ts started for this run. */
const shared = (): { database: { socketPath: string }; redis: string[] } => JSON.parse(process.env['FRONTROW_TEST_STORES']!);

/** A database of its own for each test file, and a Redis for each jest worker, emptied first. Of more workers than Redises some share one, and have a logical Redis each. */
export async function freshStores(): Promise<StoreAddresses & { drop(): Promise<void> }> {
  const {
    database: { socketPath },
    redis,
  } = shared();
  const database: DatabaseAddress = { socketPath, name: `test_${randomBytes(6).toString('hex')}` };
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 0);
  const redisAddress = `${redis[worker % redis.length]}?db=${worker}`;
  const client = new Redis(redisAddress);
  await client.flushdb();
  client.disconnect();
  return { database, redis: redisAddress, drop: () => dropDatabase(database) };
}

async function dropDatabase(database: { socketPath: string; name: string }): Promise<void> {
  const orm = await MikroORM.init({ dbName: database.name, user: 'root', password: '', driverOptions: { socketPath: database.socketPath }, discovery: { warnWhenNoEntities: false }, entities: [] });
  await orm.em.getConnection().execute(`drop database if exists ${database.name}`);
  await orm.close();
}
