import { closeDatabase } from '../../src/database/close.js';
import { connectDatabase } from '../../src/database/orm.config.js';
import { Transactions } from '../../src/database/transaction.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { redisProxy } from '../support/redis-proxy.js';

/** An error is not a no: a commit whose answer was lost may have happened. */

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['balance-is-ledger'], because: 'a balance is raised without money' } });
});
afterAll(() => frontrow.stop());

test('a transaction that was committed while its connection broke is not run again: its caller is told that nobody knows', async () => {
  const { id } = await frontrow.build.buyer();
  const database = frontrow.app.stores.database as { socketPath: string; name: string };
  const proxy = await redisProxy(database.socketPath);
  const orm = await connectDatabase({ ...database, socketPath: proxy.address }, { poolMax: 1 });
  const balance = async (): Promise<number> => {
    const [row] = await frontrow.app.transactions.fork().execute<{ balance: number }[]>('select balance from wallet where user_id = ?', [id]);
    return Number(row!.balance);
  };
  let tries = 0;
  const told = new Transactions(orm, () => undefined)
    .run(async (em) => {
      tries += 1;
      await em.execute('update wallet set balance = balance + 1 where user_id = ?', [id]);
      // From here on what the database answers is lost, the first time.
      if (tries === 1) proxy.silence();
    })
    .then(() => 'done', (error: unknown) => error);
  await eventually(async () => (await balance()) === 1, 'the commit');
  await proxy.cut();
  await proxy.restore();
  expect(await told).toBeInstanceOf(Error);
  expect(tries).toBe(1);
  expect(await balance()).toBe(1);
  await closeDatabase(orm);
  await proxy.close();
});
