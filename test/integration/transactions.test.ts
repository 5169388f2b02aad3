import type { EntityManager } from '@mikro-orm/mysql';
import { errnoOf, ONCE_MORE_AFTER_A_DEADLOCK, Transactions } from '../../src/database/transaction.js';
import { withDeadline } from '../../src/domain/deadline.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** The one retry helper against what the database really answers to two who want the same rows. */

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['balance-is-ledger'], because: 'balances are raised without money' } });
});
afterAll(() => frontrow.stop());

const wallets = async (count: number): Promise<string[]> => (await frontrow.build.buyers(count)).map(({ id }) => id).sort();
const add = (em: EntityManager, userId: string, amount: number) => em.execute('update wallet set balance = balance + ? where user_id = ?', [amount, userId], 'run');
const balancesOf = async (userIds: string[]): Promise<number[]> => {
  const rows = await frontrow.app.transactions.fork().execute<{ balance: number }[]>('select balance from wallet where user_id in (?) order by user_id', [userIds]);
  return rows.map(({ balance }) => Number(balance));
};
const retried = async (reason: string): Promise<number> => {
  const metric = await frontrow.app.metrics.registry.getSingleMetric('frontrow_transaction_retries_total')!.get();
  return metric.values.find(({ labels }) => labels['reason'] === reason)?.value ?? 0;
};

/** A transaction of another that has locked the row until it is let go. */
async function withLocked<T>(userId: string, work: (letGo: () => void) => Promise<T>): Promise<T> {
  const [locked, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holder = frontrow.app.transactions.run(async (em) => {
    await em.execute('select 1 from wallet where user_id = ? for update', [userId]);
    locked.resolve();
    await over.promise;
  });
  await locked.promise;
  return work(over.resolve).finally(() => {
    over.resolve();
    return holder;
  });
}

/** As add, but tired of waiting at once. */
const addImpatiently = (em: EntityManager, userId: string, amount: number) =>
  em.execute('set statement innodb_lock_wait_timeout = 0 for update wallet set balance = balance + ? where user_id = ?', [amount, userId], 'run');

test('two that lock the same rows the other way round: the one the database gives up runs again, wholly, and is counted', async () => {
  const before = await retried('1213');
  const [low, high] = (await wallets(2)) as [string, string];
  let runs = 0;
  const [lowLocked, highLocked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const crossed = (first: string, second: string, mine: PromiseWithResolvers<void>, others: PromiseWithResolvers<void>) =>
    frontrow.app.transactions.run(async (em) => {
      runs += 1;
      await add(em, first, 1);
      mine.resolve();
      await others.promise;
      await add(em, second, 10);
    });
  await Promise.all([crossed(low, high, lowLocked, highLocked), crossed(high, low, highLocked, lowLocked)]);
  expect(runs).toBe(3);
  expect(await retried('1213')).toBe(before + 1);
  expect(await balancesOf([low, high])).toEqual([11, 11]);
});

test('a lock that is not to be had in time: what was written before it is rolled back too, and the whole runs again', async () => {
  const before = await retried('1205');
  const [own, contested] = (await wallets(2)) as [string, string];
  const seen: number[] = [];
  await withLocked(contested, async (letGo) => {
    await frontrow.app.transactions.run(async (em) => {
      // The second try waits for the lock, and finds what the first has left.
      seen.push(...(await balancesOf([own])));
      await add(em, own, 1);
      if (seen.length === 1) return addImpatiently(em, contested, 10);
      letGo();
      return add(em, contested, 10);
    });
  });
  expect(seen).toEqual([0, 0]);
  expect(await retried('1205')).toBe(before + 1);
  expect(await balancesOf([own, contested])).toEqual([1, 10]);
});

test('after the last try the error leaves, and nothing has changed', async () => {
  const [own, contested] = (await wallets(2)) as [string, string];
  const reasons: string[] = [];
  const transactions = new Transactions(frontrow.app.orm, (reason) => reasons.push(reason));
  let tries = 0;
  const error: unknown = await withLocked(contested, () =>
    transactions.run(async (em) => {
      tries += 1;
      await add(em, own, 1);
      await addImpatiently(em, contested, 10);
    }).catch((thrown: unknown) => thrown),
  );
  expect(errnoOf(error)).toBe(1205);
  expect(tries).toBe(8);
  expect(reasons).toEqual(Array(7).fill('1205'));
  expect(await balancesOf([own, contested])).toEqual([0, 0]);
});

test.each([
  ['a deadlock', 1213, 10_000, 2],
  ['a deadlock, though a lock would no longer be waited for', 1213, 500, 2],
  ['a lock that is not to be had in time', 1205, 10_000, 1],
])('many that share a transaction, after %s', async (_, errno, ms, expected) => {
  const transactions = new Transactions(frontrow.app.orm, () => undefined);
  let tries = 0;
  const failing = withDeadline(ms, () =>
    transactions.runBriefly(() => {
      tries += 1;
      return Promise.reject(Object.assign(new Error('in the way'), { errno }));
    }, ONCE_MORE_AFTER_A_DEADLOCK),
  );
  await expect(failing).rejects.toMatchObject({ errno });
  expect(tries).toBe(expected);
});

test('any other error leaves at once', async () => {
  const [own] = (await wallets(1)) as [string];
  let tries = 0;
  const work = frontrow.app.transactions.run(async (em) => {
    tries += 1;
    await add(em, own, 1);
    await em.execute('insert into wallet (user_id, balance) values (?, 0)', [own]);
  });
  await expect(work).rejects.toThrow(/Duplicate entry/);
  expect(tries).toBe(1);
  expect(await balancesOf([own])).toEqual([0]);
});
