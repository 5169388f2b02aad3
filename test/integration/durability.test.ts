import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/mysql';
import { createLogger } from '../../src/logging.js';
import type { DatabaseAddress } from '../../src/database/orm.config.js';
import { startOwnStores, type OwnStores } from '../../src/launcher/own-stores.js';
import { run } from '../../src/run.js';
import { testConfig } from '../support/frontrow.js';
import { freshStores } from '../support/stores.js';

/** With servers of its own: the setting is the whole server's, and others share that of the test run. */

const folder = mkdtempSync(join(tmpdir(), 'frontrow-durability-'));
let own: OwnStores;
let redis: string;
beforeAll(async () => {
  ({ redis } = await freshStores());
  own = await startOwnStores(folder, () => undefined, { database: true, redis: false });
});
afterAll(async () => {
  await own.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function setFlush(value: number): Promise<void> {
  const { socketPath } = own.database as Extract<DatabaseAddress, { socketPath: string }>;
  const orm = await MikroORM.init({ dbName: 'mysql', user: 'root', password: '', driverOptions: { socketPath }, discovery: { warnWhenNoEntities: false }, entities: [] });
  await orm.em.getConnection().execute(`set global innodb_flush_log_at_trx_commit = ${value}`);
  await orm.close();
}

test.each([0, 2])('a database that may lose an acknowledged commit is refused at the start: innodb_flush_log_at_trx_commit=%i', async (value) => {
  await setFlush(value);
  await expect(run(testConfig(), { database: own.database, redis }, createLogger('silent'))).rejects.toThrow(`The database has innodb_flush_log_at_trx_commit=${value}`);
});

test('the same database is taken once it is durable', async () => {
  await setFlush(1);
  const running = await run(testConfig(), { database: own.database, redis }, createLogger('silent'));
  expect((await fetch(`${running.url}/health/ready`)).status).toBe(200);
  await running.close();
});
