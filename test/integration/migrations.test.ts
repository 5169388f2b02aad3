import { createApp, type App } from '../../src/app.js';
import { migrations } from '../../src/database/migrations/index.js';
import { migrate } from '../../src/database/migrate.js';
import { STILL_TRANSACTION_TIMEOUT_S } from '../../src/database/orm.config.js';
import { createLogger } from '../../src/logging.js';
import { testConfig } from '../support/frontrow.js';
import { freshStores } from '../support/stores.js';

let stores: Awaited<ReturnType<typeof freshStores>>;
const apps: App[] = [];
beforeAll(async () => {
  stores = await freshStores();
  for (let count = 0; count < 3; count += 1) apps.push(await createApp(testConfig(), stores, createLogger('silent')));
});
afterAll(async () => {
  for (const app of apps) await app.close();
  await stores.drop();
});

/** The migrations from this one on. */
const from = (number: string): string[] => migrations.map(({ name }) => name).filter((name) => name >= number);

test('O1: instances that start at once migrate once', async () => {
  const applied = await Promise.all(apps.map((app) => migrate(app.orm)));
  expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
});

test('O1: a migration that was cut short is carried out to its end by the next start', async () => {
  const { orm } = apps[0]!;
  const em = orm.em.fork();
  // As a process that died left it: the first of several statements is done, and no migration after the second is noted.
  await em.execute("delete from migration where name >= '003'");
  await em.execute('drop table cancellation_failure');
  await em.execute('alter table reservation drop index reservation_date_index');
  expect(await migrate(orm)).toEqual(from('003'));
  const indexed = "select group_concat(column_name order by seq_in_index) as columns from information_schema.statistics where table_schema = database() and index_name like 'reservation\\_%\\_index' group by index_name order by index_name";
  expect(await em.execute(indexed)).toEqual(['schedule_id', 'status,expires_at', 'user_id,concert_id', 'user_id,id'].map((columns) => ({ columns })));
  expect(await em.execute('select count(*) as failures from cancellation_failure')).toEqual([{ failures: 0 }]);
  // Wherever it was cut: each statement may have been done before.
  await em.execute('delete from migration');
  expect(await migrate(orm)).toHaveLength(migrations.length);
});

test('O1: a migration may take longer than the server lets a transaction be still', async () => {
  const [{ orm }, other] = [apps[0]!, apps[1]!.orm.em.fork()];
  await orm.em.fork().execute("delete from migration where name >= '008'");
  await orm.em.fork().execute('alter table seat add index seat_section_index (schedule_id, section, number)');
  const started = performance.now();
  let ms = 0;
  const [applied] = await Promise.all([
    migrate(orm).finally(() => (ms = performance.now() - started)),
    other.transactional(async (em) => {
      await em.execute('select number from seat limit 1');
      await em.execute('do sleep(?)', [STILL_TRANSACTION_TIMEOUT_S + 1.5]);
    }),
  ]);
  expect(applied).toEqual(from('008'));
  expect(ms).toBeGreaterThan(STILL_TRANSACTION_TIMEOUT_S * 1000);
});

test('what a migration cannot carry out fails it', async () => {
  const { orm } = apps[0]!;
  const em = orm.em.fork();
  await em.execute("delete from migration where name >= '005'");
  await em.execute('rename table webhook to gone');
  await expect(migrate(orm)).rejects.toThrow(/webhook/);
  await em.execute('rename table gone to webhook');
  expect(await migrate(orm)).toEqual(from('005'));
});
