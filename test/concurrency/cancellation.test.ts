import { Payment } from '../../src/database/entities/payment.entity.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { Schedule } from '../../src/database/entities/schedule.entity.js';
import { Refusal } from '../../src/domain/refusals.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { servicesOf } from '../support/services.js';
import { saleOf, viewerOf, type Sale } from '../support/sale.js';
import { UnlockedTransactions } from '../support/unlocked.js';

/** What is given back is given back once, whoever else is at it; and nothing is sold of a date behind its cancellation. */

const PRICE = 10_000;
const BUYERS = 20;

let frontrow: Frontrow;
let sale: Sale;
let concert: BuiltConcert;
let buyers: AdmittedBuyer[];
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
  sale = saleOf(frontrow);
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: BUYERS, price: PRICE });
  buyers = await frontrow.build.admit(concert.id, await frontrow.build.buyers(BUYERS, { balance: PRICE }));
});
afterAll(() => frontrow.stop());

const services = (instance = 0) => frontrow.instances[instance % 2]!.app.services;
const fork = () => frontrow.app.transactions.fork();
const reserve = (buyer: AdmittedBuyer, seat: number) => services(seat).reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [seat] });
const hold = () => Promise.all(buyers.map((buyer, index) => reserve(buyer, index + 1)));
const pay = (buyer: AdmittedBuyer, { id }: { id: string }, instance = 0) => services(instance).payments.pay(viewerOf(buyer), buyer.queueToken, id);
async function sell(): Promise<Payment[]> {
  const holds = await hold();
  return Promise.all(buyers.map((buyer, index) => pay(buyer, holds[index]!)));
}
async function finish(instance = 0): Promise<void> {
  while ((await services(instance).cancellations.run(concert.scheduleId)).more);
}
const cancelled = async (): Promise<Date> => (await fork().findOneOrFail(Schedule, { id: concert.scheduleId })).cancelledAt!;
const unlessRefused = (error: unknown): null => {
  if (error instanceof Refusal) return null;
  throw error;
};

/** Everybody has exactly what they had before the sale, by the balance and by the ledger. */
async function expectAllRefunded(): Promise<void> {
  for (const { id } of buyers) {
    expect(await sale.balanceOf(id)).toBe(PRICE);
    const ledger = await sale.ledgerOf(id);
    expect(ledger.reduce((sum, { amount }) => sum + amount, 0)).toBe(PRICE);
    expect(ledger.filter(({ kind }) => kind === 'REFUND').length).toBe(ledger.filter(({ kind }) => kind === 'PAYMENT').length);
  }
  expect(await fork().count(Reservation, { scheduleId: concert.scheduleId, status: { $in: ['HELD', 'CONFIRMED'] } })).toBe(0);
}

test('P5: a payment that is refunded four times at once, while the job and the sweeper of its hold come, is refunded once', async () => {
  const payments = await sell();
  const answers = await Promise.all(
    payments.flatMap((payment, index) => [
      ...[0, 1, 2, 3].map((instance) => services(instance).payments.refund(viewerOf(buyers[index]!), payment.id)),
      services(index).reservations.expire(payment.reservationId).then(() => payment),
    ]),
  );
  await services().reservations.sweep();
  expect(new Set(answers.map(({ id }) => id)).size).toBe(BUYERS);
  await expectAllRefunded();
});

test('negative control: refunds that look first and pay later pay twice', async () => {
  const [payment] = await sell();
  const em = fork();
  const looks = await Promise.all([1, 2].map(() => em.execute<{ status: string }[]>('select status from payment where id = ?', [payment!.id])));
  let returned = 0;
  for (const [row] of looks) if (row!.status === 'PAID') returned += payment!.amount;
  expect(returned).toBe(2 * PRICE);
});

test('P4: buyers refund while the cancellation does, on two instances and asked for ten times: one cancellation, each payment back once', async () => {
  const payments = await sell();
  const asked = Array.from({ length: 10 }, (_, index) => services(index).cancellations.cancel(concert.scheduleId));
  await Promise.all([
    ...asked,
    ...payments.map((payment, index) => services(index).payments.refund(viewerOf(buyers[index]!), payment.id)),
    ...[0, 1, 0, 1].map(async (instance) => {
      await asked[instance];
      await finish(instance);
    }),
  ]);
  const starts = new Set((await Promise.all(asked)).map(({ startedAt }) => startedAt.getTime()));
  expect(starts.size).toBe(1);
  await expectAllRefunded();
});

test('P4: of many that pay while the date is cancelled some are paid before and all of those refunded, and none is paid behind it', async () => {
  const holds = await hold();
  let cancelling: Promise<unknown> = Promise.resolve();
  const outcomes = await Promise.all(
    buyers.map(async (buyer, index) => {
      if (index === BUYERS / 2) cancelling = services(1).cancellations.cancel(concert.scheduleId);
      return pay(buyer, holds[index]!, index).catch(unlessRefused);
    }),
  );
  await cancelling;
  await finish();
  expect((await services().cancellations.find(concert.scheduleId))?.status).toBe('DONE');
  const payments = await fork().find(Payment, { reservationId: { $in: holds.map(({ id }) => id) } });
  expect(payments).toHaveLength(outcomes.filter((outcome) => outcome !== null).length);
  const at = await cancelled();
  expect(payments.filter(({ paidAt, status }) => paidAt > at || status !== 'REFUNDED')).toEqual([]);
  await expectAllRefunded();
});

test('P4: of many that reserve while the date is cancelled none holds anything behind it', async () => {
  let cancelling: Promise<unknown> = Promise.resolve();
  await Promise.all(
    buyers.map(async (buyer, index) => {
      if (index === BUYERS / 2) cancelling = services(1).cancellations.cancel(concert.scheduleId);
      return reserve(buyer, index + 1).catch(unlessRefused);
    }),
  );
  await cancelling;
  await finish();
  const at = await cancelled();
  const reservations = await fork().find(Reservation, { scheduleId: concert.scheduleId });
  expect(reservations.filter(({ createdAt }) => createdAt > at)).toEqual([]);
  await expectAllRefunded();
});

describe('negative controls: a sale that does not lock the date', () => {
  /** Judges before the cancellation and writes after all of it was given back. */
  function unlocked() {
    const { app } = frontrow;
    const [judged, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const transactions = new UnlockedTransactions(app.orm, () => (judged.resolve(), go.promise));
    return { app, transactions, judged: judged.promise, go: () => go.resolve() };
  }

  test('a payment is made behind the cancellation, unless the sweeper finds it', async () => {
    const { app, transactions, judged, go } = unlocked();
    const late = await reserve(buyers[0]!, 1);
    const { payments } = servicesOf(app, { transactions });
    const paying = payments.pay(viewerOf(buyers[0]!), buyers[0]!.queueToken, late.id);
    await judged;
    await services(1).cancellations.cancel(concert.scheduleId);
    go();
    await paying;
    expect((await services().cancellations.find(concert.scheduleId))?.status).toBe('RUNNING');
    await finish();
    await expectAllRefunded();
  });

  test('seats are held behind the cancellation, which was done', async () => {
    const { app, transactions, judged, go } = unlocked();
    const { reservations } = servicesOf(app, { transactions });
    const reserving = reservations.reserve(viewerOf(buyers[0]!), { scheduleId: concert.scheduleId, seatNumbers: [1] });
    await judged;
    expect((await services(1).cancellations.cancel(concert.scheduleId)).status).toBe('DONE');
    go();
    await reserving;
    expect((await services().cancellations.find(concert.scheduleId))?.status).toBe('RUNNING');
    await finish();
    await expectAllRefunded();
  });
});
