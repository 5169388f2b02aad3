import { OptimisticLockError, type MikroORM } from '@mikro-orm/mysql';
import { connectDatabase } from '../../src/database/orm.config.js';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** Why useBatchUpdates must stay off: with it several stale wallets of one flush pass their version check together. */

const WRITERS = 20;
const ROUNDS_MAX = 20;

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['balance-is-ledger'], because: 'balances are raised without money' } });
});
afterAll(() => frontrow.stop());

/** Writers that have all read the same two wallets each add 1 to both, in one flush. */
async function addTogether(orm: MikroORM, userIds: string[]): Promise<{ written: number; stale: number }> {
  const managers = Array.from({ length: WRITERS }, () => orm.em.fork());
  const wallets = await Promise.all(managers.map((em) => em.find(Wallet, { userId: { $in: userIds } })));
  const flushes = await Promise.allSettled(
    managers.map((em, index) => {
      for (const wallet of wallets[index]!) wallet.balance += 1;
      return em.flush();
    }),
  );
  const errors = flushes.flatMap((flush) => (flush.status === 'rejected' ? [flush.reason] : []));
  for (const error of errors) if (!(error instanceof OptimisticLockError)) throw error;
  return { written: WRITERS - errors.length, stale: errors.length };
}

async function lostUpdates(useBatchUpdates: boolean): Promise<number> {
  const orm = await connectDatabase(frontrow.app.stores.database, { poolMax: WRITERS, useBatchUpdates });
  try {
    const userIds = (await frontrow.build.buyers(2)).map(({ id }) => id);
    let written = 0;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const result = await addTogether(orm, userIds);
      written += result.written;
      const wallets = await orm.em.fork().find(Wallet, { userId: { $in: userIds } });
      const lost = Math.max(...wallets.map(({ balance }) => written - balance));
      if (lost > 0) return lost;
      expect(result).toEqual({ written: 1, stale: WRITERS - 1 });
    }
    return 0;
  } finally {
    await orm.close();
  }
}

test('W2: two wallets flushed together by many at once: one wins, every stale flush is an OptimisticLockError, nothing is lost', async () => {
  expect(await lostUpdates(false)).toBe(0);
});

test('W2: negative control: with useBatchUpdates updates are lost silently', async () => {
  expect(await lostUpdates(true)).toBeGreaterThan(0);
});
