import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { counted, only, saleOf, type Sale } from '../support/sale.js';

/** wallet → quota → reservation → seats: who keeps that order never waits in a circle. */

let frontrow: Frontrow;
let sale: Sale;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

test('a refund and a repeated payment that wait for the same wallet come one after the other, without a deadlock', async () => {
  const concert = await frontrow.build.concert({ seats: 1 });
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 50_000 });
  const hold = await sale.hold(buyer, concert.scheduleId, [1]);
  const payment = only(await sale.pay(buyer, hold.id), 'Payment');
  const deadlocks = () => counted(frontrow, 'frontrow_transaction_retries_total', 'reason="1213"');
  const before = await deadlocks();
  const both = await frontrow.app.transactions.run(async (em) => {
    await em.execute('select 1 from wallet where user_id = ? for update', [buyer.id]);
    const waiting = (count: number) =>
      eventually(async () => {
        const rows = await em.execute(
          "select 1 from information_schema.processlist where db = database() and info like '%from %wallet%for update%' and id <> connection_id()",
        );
        return rows.length === count;
      }, `${count} to wait for the wallet`);
    const refund = sale.refund(buyer, payment.id);
    await waiting(1);
    const again = sale.pay(buyer, hold.id, 1);
    await waiting(2);
    return () => Promise.all([refund, again]);
  });
  const [refunded, repeated] = await both();
  expect(only(refunded, 'Payment').status).toBe('REFUNDED');
  expect(repeated).toMatchObject({ __typename: 'ReservationNotPayable', refusedStatus: 'REFUNDED' });
  expect(await deadlocks()).toBe(before);
});
