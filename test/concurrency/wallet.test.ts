import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import type { BrokenOnPurpose } from '../support/invariants.js';
import { only, saleOf, viewerOf, type Sale } from '../support/sale.js';
import { servicesOf } from '../support/services.js';
import { UnlockedTransactions } from '../support/unlocked.js';

const PRICE = 10_000;
const CHARGE = 3000;
const CHARGES = 150;
const PAYMENTS = 50;

const BROKEN: BrokenOnPurpose = { invariants: ['balance-is-ledger', 'ledger-adds-up'], because: 'the negative control loses charges' };

let frontrow: Frontrow;
let sale: Sale;

beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { SEATS_PER_USER_MAX: '100', QUEUE_PASS_ATTEMPTS_MAX: '1000' }, brokenOnPurpose: BROKEN });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0);

test('W2, W3: 200 concurrent charges and payments on one wallet lose and double nothing, and the ledger sums up to the balance', async () => {
  const concert = await frontrow.build.concert({ seats: PAYMENTS, price: PRICE });
  const initial = (PAYMENTS / 2) * PRICE;
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: initial });
  const holds = await Promise.all(Array.from({ length: PAYMENTS }, (_, index) => sale.hold(buyer, concert.scheduleId, [index + 1], index % 2)));

  const [charges, payments] = await Promise.all([
    Promise.all(Array.from({ length: CHARGES }, (_, index) => sale.charge(buyer, CHARGE, `charge ${index}`, index % 2))),
    Promise.all(holds.map((hold, index) => sale.pay(buyer, hold.id, (index + 1) % 2))),
  ]);
  charges.forEach((charge) => only(charge, 'Charge'));
  const paid = payments.filter((payment) => payment.__typename === 'Payment');
  expect(paid.length).toBeGreaterThanOrEqual(PAYMENTS / 2);
  expect(payments.length - paid.length).toBe(payments.filter((payment) => payment.__typename === 'InsufficientBalance').length);

  const balance = await sale.balanceOf(buyer.id);
  expect(balance).toBe(initial + CHARGES * CHARGE - paid.length * PRICE);
  const ledger = await sale.ledgerOf(buyer.id);
  expect(ledger).toHaveLength(1 + CHARGES + paid.length);
  expect(sum(ledger.map(({ amount }) => amount))).toBe(balance);
  let running = 0;
  for (const { amount, balanceAfter } of ledger) {
    running += amount;
    expect(balanceAfter).toBe(running);
    expect(balanceAfter).toBeGreaterThanOrEqual(0);
  }
  const live = await sale.liveSeatsOf(concert.scheduleId);
  expect(live.size).toBe(PAYMENTS);
});

test('W4: the same idempotency key 50 times at once is one charge, and every answer is the same', async () => {
  const buyer = await frontrow.build.buyer();
  const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => sale.charge(buyer, 7000, 'one key', index % 2)));
  const first = only(answers[0]!, 'Charge');
  for (const answer of answers) expect(answer).toEqual(first);
  expect(first.balance).toBe(7000);
  expect(await sale.balanceOf(buyer.id)).toBe(7000);
  expect(await sale.chargesOf(buyer.id)).toHaveLength(1);
  expect(await sale.ledgerOf(buyer.id)).toHaveLength(1);
});

test('P2: a payment sent 20 times at once at two instances is one payment', async () => {
  const concert = await frontrow.build.concert({ seats: 1, price: PRICE });
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 5 * PRICE });
  const hold = await sale.hold(buyer, concert.scheduleId, [1]);
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => sale.pay(buyer, hold.id, index % 2)));
  expect(new Set(answers.map((answer) => only(answer, 'Payment').id)).size).toBe(1);
  expect(await sale.balanceOf(buyer.id)).toBe(4 * PRICE);
  expect(await sale.ledgerOf(buyer.id)).toHaveLength(2);
});

test('P5: a refund sent 20 times at once returns the money once', async () => {
  const concert = await frontrow.build.concert({ seats: 1, price: PRICE });
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: PRICE });
  const hold = await sale.hold(buyer, concert.scheduleId, [1]);
  const payment = only(await sale.pay(buyer, hold.id), 'Payment');
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => sale.refund(buyer, payment.id, index % 2)));
  for (const answer of answers) expect(only(answer, 'Payment')).toMatchObject({ id: payment.id, status: 'REFUNDED' });
  expect(await sale.balanceOf(buyer.id)).toBe(PRICE);
  expect(sum((await sale.ledgerOf(buyer.id)).map(({ amount }) => amount))).toBe(PRICE);
});

describe('with the row locks off', () => {
  beforeAll(() => frontrow.checkInvariants());

  /** Charges at once without row locks, each by a process of its own; none writes before all have read. */
  async function chargeUnlocked(userId: string, count: number): Promise<{ charged: number; failed: number }> {
    const allRead = Promise.withResolvers<void>();
    let reading = 0;
    const beforeWrite = (): Promise<void> => {
      if ((reading += 1) >= count) allRead.resolve();
      return allRead.promise;
    };
    const viewer = viewerOf({ id: userId, sessionId: '', email: '', accessToken: '' });
    const results = await Promise.allSettled(
      Array.from({ length: count }, (_, index) => {
        const { wallets } = servicesOf(frontrow.app, { transactions: new UnlockedTransactions(frontrow.app.orm, beforeWrite) });
        return wallets.charge(viewer, { amount: CHARGE, idempotencyKey: `unlocked ${index}` });
      }),
    );
    const charged = results.filter(({ status }) => status === 'fulfilled').length;
    return { charged, failed: count - charged };
  }

  test('W2: the version alone loses no charge: whoever was stale tries again', async () => {
    const buyer = await frontrow.build.buyer();
    const { charged, failed } = await chargeUnlocked(buyer.id, 5);
    expect(failed).toBe(0);
    const balance = await sale.balanceOf(buyer.id);
    expect(balance).toBe(charged * CHARGE);
    expect(sum((await sale.ledgerOf(buyer.id)).map(({ amount }) => amount))).toBe(balance);
  });

  test('negative control: with a version that never changes charges are lost', async () => {
    await frontrow.app.orm.em.getConnection().execute('create trigger frozen_version before update on wallet for each row set new.version = old.version');
    const buyer = await frontrow.build.buyer();
    const { charged } = await chargeUnlocked(buyer.id, 5);
    expect(charged).toBe(5);
    expect(await sale.balanceOf(buyer.id)).toBeLessThan(charged * CHARGE);
  });
});
