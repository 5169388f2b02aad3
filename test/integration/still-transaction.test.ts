import { STILL_TRANSACTION_TIMEOUT_S } from '../../src/database/orm.config.js';
import { lockWallet } from '../../src/database/repositories/wallet.repository.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow();
});
afterAll(() => frontrow.stop());

test('a transaction whose process freezes keeps its locks for seconds only, and changes nothing when the process goes on', async () => {
  const { transactions } = frontrow.app;
  const { id } = await frontrow.build.buyer({ balance: 100 });
  const [locked, others] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let runs = 0;
  const frozen = transactions.run(async (em) => {
    runs += 1;
    const wallet = await lockWallet(em, id);
    locked.resolve();
    await others.promise;
    wallet.balance = 0;
    await em.flush();
  });
  frozen.catch(() => undefined);
  await locked.promise;
  const from = performance.now();
  // A wait for a lock is shorter than that, and is tried again.
  for (let done = false; !done; ) done = await transactions.run((em) => lockWallet(em, id)).then(() => true, () => false);
  expect(performance.now() - from).toBeLessThan((STILL_TRANSACTION_TIMEOUT_S + 5) * 1000);
  others.resolve();
  await expect(frozen).rejects.toThrow();
  expect(runs).toBe(1);
  expect((await transactions.run((em) => lockWallet(em, id))).balance).toBe(100);
}, 30_000);
