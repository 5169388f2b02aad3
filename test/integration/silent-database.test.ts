import type { MikroORM } from '@mikro-orm/mysql';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { closeDatabase } from '../../src/database/close.js';
import { connectDatabase, LOCK_WAIT_TIMEOUT_S } from '../../src/database/orm.config.js';
import { DatabaseSigns, STATEMENT_PATIENCE_MS, watchPool } from '../../src/database/pool-watch.js';
import { errnoOf, Transactions } from '../../src/database/transaction.js';
import { withDeadline } from '../../src/domain/deadline.js';
import { isStoreAway } from '../../src/server/store-errors.js';
import { GIVEN_UP_AFTER_MS, REQUEST_DEADLINE_MS } from '../../src/server/limits.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { redisProxy, type RedisProxy } from '../support/redis-proxy.js';
import { STALL_MS, timed } from '../support/timed.js';

/** The pool of connections, when the database behind it falls silent. */

let frontrow: Frontrow;
let proxy: RedisProxy;
let database: { socketPath: string; name: string };
beforeAll(async () => {
  frontrow = await startFrontrow();
  const reached = frontrow.app.stores.database as { socketPath: string; name: string };
  proxy = await redisProxy(reached.socketPath);
  database = { ...reached, socketPath: proxy.address };
});
afterAll(async () => {
  await proxy.close();
  await frontrow.stop();
});

async function watchedPool(poolMax: number) {
  const orm = await connectDatabase(database, { poolMax });
  await watchPool(orm, new DatabaseSigns(), () => undefined);
  const retried: string[] = [];
  return { orm, retried, transactions: new Transactions(orm, (reason) => retried.push(reason)) };
}

const asRequest = <T>(work: () => Promise<T>, patienceMs = GIVEN_UP_AFTER_MS): Promise<T | unknown> => withDeadline(patienceMs, work).catch((error: unknown) => error);

describe('a statement that only takes long is waited for', () => {
  const runSlowly = (orm: MikroORM) => timed(() => asRequest(() => orm.em.fork().execute('select sleep(?) as slept', [STATEMENT_PATIENCE_MS / 1000 + 0.3])));

  /** Asked through a gate of its own as somebody who may have one connection. */
  async function asOnlyOne<T>(work: (orm: MikroORM) => Promise<T>): Promise<T> {
    const { name } = database;
    const root = frontrow.app.orm.em.fork();
    await root.execute("create user if not exists only_one@localhost with max_user_connections 1");
    await root.execute('grant select on `' + name + '`.* to only_one@localhost');
    const { socketPath } = frontrow.app.stores.database as { socketPath: string };
    const gate = createServer((client) => {
      const server = connect(socketPath);
      for (const [side, other] of [[client, server], [server, client]] as const) side.on('error', () => other.destroy()).pipe(other);
    }).listen(0, '127.0.0.1');
    await once(gate, 'listening');
    const orm = await connectDatabase({ url: `mysql://only_one@127.0.0.1:${(gate.address() as AddressInfo).port}/${name}` }, { poolMax: 1 });
    await watchPool(orm, new DatabaseSigns(), () => undefined);
    const result = await work(orm);
    await closeDatabase(orm);
    gate.close();
    await root.execute('drop user only_one@localhost');
    return result;
  }

  let answers: { result: unknown; ms: number }[];
  // Both take their time side by side.
  beforeAll(async () => {
    const { orm } = await watchedPool(1);
    answers = await Promise.all([runSlowly(orm), asOnlyOne(runSlowly)]);
    await closeDatabase(orm);
  });

  test('where the server says that it still runs it', () => {
    expect(answers[0]!.result).toEqual([{ slept: 0 }]);
    expect(answers[0]!.ms).toBeGreaterThan(STATEMENT_PATIENCE_MS);
  });

  test('where the server has no connection left for the question: it has answered', () => {
    expect(answers[1]!.result).toEqual([{ slept: 0 }]);
  });
});

test('thousands wait when the database falls silent: each is told by its deadline, none runs later, and who comes after the return is served at once', async () => {
  const { orm, transactions } = await watchedPool(4);
  await orm.em.fork().execute('create table told_late (id int auto_increment primary key)');
  await Promise.all(Array.from({ length: 4 }, () => orm.em.fork().execute('select sleep(0.05)')));
  proxy.silence();
  const write = () => asRequest(() => transactions.run((em) => em.execute('insert into told_late values ()', [], 'run')));
  const { result: answers, ownMs } = await timed(() => Promise.all(Array.from({ length: 3000 }, write)));
  expect(ownMs).toBeLessThan(REQUEST_DEADLINE_MS);
  expect(answers.every(isStoreAway)).toBe(true);
  proxy.speak();
  await eventually(async () => !isStoreAway(await asRequest(() => orm.em.fork().execute('select 1'))), 'a connection');
  const late = frontrow.app.orm.em.fork();
  expect(await late.execute('select count(*) as told from told_late')).toEqual([{ told: 0 }]);
  const after = await timed(write);
  expect(isStoreAway(after.result)).toBe(false);
  expect(after.ownMs).toBeLessThan(REQUEST_DEADLINE_MS / 5);
  await late.execute('drop table told_late');
  await closeDatabase(orm);
});

test('who waits for a lock is tried again only while there is time for it, and is told that nothing happened', async () => {
  const { orm, transactions, retried } = await watchedPool(2);
  const buyer = await frontrow.build.buyer();
  const lock = 'select balance from wallet where user_id = ? for update';
  let isLetGo = false;
  const locked = Promise.withResolvers<void>();
  const holder = frontrow.app.transactions.run(async (em) => {
    await em.execute(lock, [buyer.id]);
    locked.resolve();
    // Never still for so long that the server ends it.
    await eventually(async () => (await em.execute('select 1')).length === 1 && isLetGo, 'the other to be told');
  });
  await locked.promise;
  // Two waits fit into a request; here with room for a stall, and still too little for a third.
  const waitsMs = 2 * LOCK_WAIT_TIMEOUT_S * 1000;
  expect(waitsMs).toBeLessThan(GIVEN_UP_AFTER_MS);
  const { result, ms, ownMs } = await timed(() => asRequest(() => transactions.run((em) => em.execute(lock, [buyer.id])), waitsMs + STALL_MS));
  isLetGo = true;
  await holder;
  expect(errnoOf(result)).toBe(1205);
  expect(retried).toEqual(['1205']);
  expect(ms).toBeGreaterThan(waitsMs - 500);
  expect(ownMs).toBeLessThan(REQUEST_DEADLINE_MS);
  await closeDatabase(orm);
});

test('who waits while the connection of another is lost gets the next one, however long ago the lost one was made for somebody', async () => {
  const { orm, transactions } = await withDeadline(1000, () => watchedPool(1));
  const letGo = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<number>();
  const holder = transactions
    .run(async (em) => {
      const [row] = await em.execute<{ id: number }[]>('select connection_id() as id, sleep(1.1)');
      holding.resolve(row!.id);
      await letGo.promise;
    })
    .catch((error: unknown) => error);
  const held = await holding.promise;
  const waiter = orm.em.fork().execute('select 1 as one');
  await frontrow.app.transactions.fork().execute(`kill ${held}`);
  expect(await waiter).toEqual([{ one: 1 }]);
  letGo.resolve();
  expect(isStoreAway(await holder)).toBe(true);
  await closeDatabase(orm);
});

test('closing leaves a silent database without its good-bye', async () => {
  const { orm } = await watchedPool(2);
  await orm.em.fork().execute('select 1');
  proxy.silence();
  const running = orm.em.fork().execute('select 2').catch((error: unknown) => error);
  const { ownMs } = await timed(() => closeDatabase(orm));
  expect(ownMs).toBeLessThan(REQUEST_DEADLINE_MS);
  expect(await running).toBeInstanceOf(Error);
  proxy.speak();
});

test('nor does a good-bye that fails keep it from being closed', async () => {
  const { orm } = await watchedPool(1);
  await orm.em.fork().execute('select 1');
  const pool = (await orm.em.getConnection().getNativeClient()) as unknown as { end: (done: (error: Error) => void) => void };
  // As the driver does where a connection that was only about to be made is given up meanwhile.
  pool.end = (done) => done(new Error('connect ETIMEDOUT'));
  await closeDatabase(orm);
  expect(await asRequest(() => orm.em.fork().execute('select 1'))).toBeInstanceOf(Error);
});
