import { Payment } from '../../src/database/entities/payment.entity.js';
import { QueuePass } from '../../src/database/entities/queue-pass.entity.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { keys } from '../../src/redis/keys.js';
import { topics } from '../../src/redis/pubsub.js';
import * as operations from '../graphql/operations.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { codeOf, websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { subscribed } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { dataOf, only, saleOf, type Sale } from '../support/sale.js';

const PRICE = 10_000;
const UNKNOWN_ID = '00000000-0000-7000-8000-000000000000';

let frontrow: Frontrow;
let sale: Sale;
let concert: BuiltConcert;
let nextSeat = 1;

beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2 });
  sale = saleOf(frontrow);
  concert = await frontrow.build.concert({ seats: 100, price: PRICE });
});
afterAll(() => frontrow.stop());

const execute = (sql: string, parameters: unknown[] = []) => frontrow.app.orm.em.getConnection().execute(sql, parameters);
const fork = () => frontrow.app.transactions.fork();
const paying = (buyer: Partial<AdmittedBuyer>, reservationId: string) => frontrow.client().run(operations.PayDocument, { input: { reservationId } }, buyer);

/** A buyer of the concert with a hold of two seats of their own. */
async function withHold(balance = 5 * PRICE) {
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance });
  const numbers = [nextSeat, nextSeat + 1];
  nextSeat += 2;
  return { buyer, numbers, hold: await sale.hold(buyer, concert.scheduleId, numbers) };
}

async function withPayment() {
  const held = await withHold();
  return { ...held, payment: only(await sale.pay(held.buyer, held.hold.id), 'Payment') };
}

describe('pay', () => {
  test('P1: paying debits the balance, records the payment, gives the seats and ends the pass, everywhere at once', async () => {
    const { buyer, numbers, hold } = await withHold();
    const changes = collect(websocketClient(frontrow.instances[1]!.url!, buyer), operations.WatchReservationsDocument, {});
    await subscribed(frontrow, topics.reservationChanged(buyer.id));
    const payment = only(await sale.pay(buyer, hold.id, 1), 'Payment');

    expect(payment).toMatchObject({ status: 'PAID', amount: 2 * PRICE, balance: 3 * PRICE, refundedAt: null, reservation: { id: hold.id, status: 'CONFIRMED' } });
    expect(await sale.balanceOf(buyer.id)).toBe(3 * PRICE);
    expect((await sale.ledgerOf(buyer.id)).at(-1)).toMatchObject({ kind: 'PAYMENT', amount: -2 * PRICE, balanceAfter: 3 * PRICE, sourceId: payment.id });
    expect(await sale.reservation(buyer, hold.id)).toMatchObject({ status: 'CONFIRMED', payment: { id: payment.id, status: 'PAID', amount: 2 * PRICE } });
    const seats = await fork().find(Seat, { scheduleId: concert.scheduleId, number: { $in: numbers } });
    expect(seats.map(({ status, heldUntil }) => [status, heldUntil])).toEqual([['SOLD', null], ['SOLD', null]]);

    expect((await fork().findOneOrFail(QueuePass, { concertId: concert.id, userId: buyer.id })).endedBy).toBe('PAID');
    const position = dataOf(await frontrow.client().run(operations.PollQueuePositionDocument, { concertId: concert.id }, buyer)).queuePosition;
    expect(position?.status).toBe('COMPLETED');
    expect(codeOf(await frontrow.client().run(operations.SeatsDocument, { scheduleId: concert.scheduleId }, buyer))).toBe('QUEUE_TOKEN_EXPIRED');
    await changes.until(({ reservationChanged }) => reservationChanged.status === 'CONFIRMED' && reservationChanged.payment?.id === payment.id);
    changes.stop();
  });

  test('P1: when the last of its steps fails, none of them has happened, and paying again succeeds', async () => {
    const { buyer, numbers, hold } = await withHold();
    await execute(`create trigger broken_pass before update on queue_pass for each row signal sqlstate '45000' set message_text = 'no'`);
    try {
      expect(codeOf(await paying(buyer, hold.id))).toBe('INTERNAL_SERVER_ERROR');
    } finally {
      await execute('drop trigger broken_pass');
    }
    expect(await sale.balanceOf(buyer.id)).toBe(5 * PRICE);
    expect(await sale.ledgerOf(buyer.id)).toHaveLength(1);
    expect(await fork().count(Payment, { userId: buyer.id })).toBe(0);
    expect((await fork().findOneOrFail(Reservation, { id: hold.id })).status).toBe('HELD');
    expect((await fork().findOneOrFail(Seat, { scheduleId: concert.scheduleId, number: numbers[0]! })).status).toBe('HELD');
    only(await sale.pay(buyer, hold.id), 'Payment');
  });

  test('P2: paying a paid reservation again answers with the same payment and charges nothing', async () => {
    const { buyer, hold, payment } = await withPayment();
    expect(only(await sale.pay(buyer, hold.id, 1), 'Payment')).toEqual(payment);
    expect(await sale.balanceOf(buyer.id)).toBe(3 * PRICE);
    expect(await sale.ledgerOf(buyer.id)).toHaveLength(2);
  });

  test('P1: a pass that stayed open, because the process died right after its commit, is ended by the repeated payment', async () => {
    const { buyer, hold } = await withHold();
    const pass = await fork().findOneOrFail(QueuePass, { concertId: concert.id, userId: buyer.id });
    only(await sale.pay(buyer, hold.id), 'Payment');
    const { redis } = frontrow.app;
    await redis.zadd(keys.queueActive(concert.id), pass.expiresAt.getTime(), buyer.id);
    await redis.hset(keys.queuePlaces(concert.id), buyer.id, pass.place);
    const status = async () => dataOf(await frontrow.client().run(operations.PollQueuePositionDocument, { concertId: concert.id }, buyer)).queuePosition?.status;
    expect(await status()).toBe('ACTIVE');
    only(await sale.pay(buyer, hold.id), 'Payment');
    expect(await status()).toBe('COMPLETED');
  });

  test('P1: too small a balance is refused, the hold stays, and it can be paid after a charge', async () => {
    const { buyer, hold } = await withHold(2 * PRICE - 1);
    expect(await sale.pay(buyer, hold.id)).toMatchObject({ __typename: 'InsufficientBalance', currentBalance: 2 * PRICE - 1, required: 2 * PRICE });
    expect((await sale.reservation(buyer, hold.id))?.status).toBe('HELD');
    only(await sale.charge(buyer, 1, 'the missing one'), 'Charge');
    expect(only(await sale.pay(buyer, hold.id), 'Payment').balance).toBe(0);
  });

  test('P1: the first payment ends the pass; another hold stays payable with the same token', async () => {
    const { buyer, hold } = await withHold();
    const other = await sale.hold(buyer, concert.scheduleId, [nextSeat++]);
    only(await sale.pay(buyer, hold.id), 'Payment');
    expect(codeOf(await frontrow.client().run(operations.ReserveDocument, { input: { scheduleId: concert.scheduleId, seatNumbers: [nextSeat] } }, buyer))).toBe('QUEUE_TOKEN_EXPIRED');
    expect(only(await sale.pay(buyer, other.id), 'Payment').balance).toBe(2 * PRICE);
  });

  test('Q2: pay needs the queue token of this user and this concert, in any state', async () => {
    const { buyer, hold } = await withHold();
    const elsewhere = await frontrow.build.concert();
    const [sameUserElsewhere] = await frontrow.build.admit(elsewhere.id, [buyer]);
    const other = await frontrow.build.admittedBuyer(concert.id);
    const tokens = [undefined, 'nonsense', sameUserElsewhere!.queueToken, other.queueToken, buyer.accessToken];
    for (const queueToken of tokens) {
      expect(codeOf(await paying({ accessToken: buyer.accessToken, ...(queueToken === undefined ? {} : { queueToken }) }, hold.id))).toBe('QUEUE_TOKEN_REQUIRED');
    }
    await frontrow.client().run(operations.LeaveQueueDocument, { concertId: concert.id }, buyer);
    only(await sale.pay(buyer, hold.id), 'Payment');
  });

  test('P1: a hold taken before its date was moved forward cannot be paid once the date has begun, for it could not be refunded', async () => {
    const soon = await frontrow.build.concert({ seats: 1, price: PRICE });
    const buyer = await frontrow.build.admittedBuyer(soon.id, { balance: PRICE });
    const hold = await sale.hold(buyer, soon.scheduleId, [1]);
    await execute('update schedule set starts_at = sysdate(3) where id = ?', [soon.scheduleId]);
    expect(await sale.pay(buyer, hold.id)).toMatchObject({ __typename: 'ReservationNotPayable', refusedStatus: 'EXPIRED' });
    expect(await sale.balanceOf(buyer.id)).toBe(PRICE);
  });

  test('V7: a hold that was given back cannot be paid', async () => {
    const { buyer, hold } = await withHold();
    only(await sale.cancel(buyer, hold.id), 'Reservation');
    expect(await sale.pay(buyer, hold.id)).toMatchObject({ __typename: 'ReservationNotPayable', refusedStatus: 'CANCELLED' });
  });

  test('U3: what is unknown, someone else’s or no id at all cannot be paid', async () => {
    const { hold } = await withHold();
    const stranger = await frontrow.build.admittedBuyer(concert.id, { balance: 5 * PRICE });
    const [foreign, unknown] = [await paying(stranger, hold.id), await paying(stranger, UNKNOWN_ID)];
    expect(codeOf(foreign)).toBe('NOT_FOUND');
    expect(foreign.errors?.map(({ message, extensions }) => [message, extensions.code])).toEqual(unknown.errors?.map(({ message, extensions }) => [message, extensions.code]));
    for (const id of ['', 'x', '1; drop table payment', hold.id.slice(1)]) {
      expect((await paying(stranger, id)).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'reservationId' });
    }
    expect(codeOf(await paying({}, hold.id))).toBe('UNAUTHENTICATED');
  });
});

describe('refund', () => {
  test('P5: a refund returns the money and frees the seats for everyone; repeating it returns the same payment', async () => {
    const { buyer, numbers, hold, payment } = await withPayment();
    const changes = collect(websocketClient(frontrow.instances[1]!.url!, buyer), operations.WatchReservationsDocument, {});
    await subscribed(frontrow, topics.reservationChanged(buyer.id));
    const refunded = only(await sale.refund(buyer, payment.id), 'Payment');
    expect(refunded).toMatchObject({ id: payment.id, status: 'REFUNDED', amount: 2 * PRICE, balance: 3 * PRICE, reservation: { status: 'REFUNDED' } });
    expect(refunded.refundedAt).not.toBeNull();
    expect(await sale.balanceOf(buyer.id)).toBe(5 * PRICE);
    expect((await sale.ledgerOf(buyer.id)).at(-1)).toMatchObject({ kind: 'REFUND', amount: 2 * PRICE, balanceAfter: 5 * PRICE, sourceId: payment.id });
    await changes.until(({ reservationChanged }) => reservationChanged.status === 'REFUNDED');
    changes.stop();

    expect(only(await sale.refund(buyer, payment.id, 1), 'Payment')).toEqual(refunded);
    expect(await sale.balanceOf(buyer.id)).toBe(5 * PRICE);
    expect(await sale.pay(buyer, hold.id)).toMatchObject({ __typename: 'ReservationNotPayable', refusedStatus: 'REFUNDED' });
    expect(await sale.cancel(buyer, hold.id)).toMatchObject({ __typename: 'ReservationNotCancellable', refusedStatus: 'REFUNDED' });

    const next = await frontrow.build.admittedBuyer(concert.id, { balance: 5 * PRICE });
    const again = await sale.hold(next, concert.scheduleId, numbers, 1);
    only(await sale.pay(next, again.id), 'Payment');
  });

  test('P5: a refund may lift a balance over its limit', async () => {
    const { balanceMax } = frontrow.app.config;
    const { buyer, hold } = await withHold(balanceMax);
    const payment = only(await sale.pay(buyer, hold.id), 'Payment');
    only(await sale.charge(buyer, 2 * PRICE, 'up to the limit'), 'Charge');
    only(await sale.refund(buyer, payment.id), 'Payment');
    expect(await sale.balanceOf(buyer.id)).toBe(balanceMax + 2 * PRICE);
  });

  test('P5: from the start of the date on nothing is refunded', async () => {
    const soon = await frontrow.build.concert({ seats: 1, price: PRICE });
    const buyer = await frontrow.build.admittedBuyer(soon.id, { balance: PRICE });
    const hold = await sale.hold(buyer, soon.scheduleId, [1]);
    const payment = only(await sale.pay(buyer, hold.id), 'Payment');
    await execute('update schedule set starts_at = sysdate(3) where id = ?', [soon.scheduleId]);
    expect(await sale.refund(buyer, payment.id)).toMatchObject({ __typename: 'PaymentNotRefundable', refusedStatus: 'CONFIRMED' });
    expect(await sale.balanceOf(buyer.id)).toBe(0);
    expect((await sale.reservation(buyer, hold.id))?.status).toBe('CONFIRMED');
  });

  test('U3: what is unknown, someone else’s or no id at all cannot be refunded', async () => {
    const { buyer, hold, payment } = await withPayment();
    const stranger = await frontrow.build.buyer();
    const refunding = (paymentId: string) => frontrow.client().run(operations.RefundDocument, { paymentId }, stranger);
    const [foreign, unknown] = [await refunding(payment.id), await refunding(UNKNOWN_ID)];
    expect(codeOf(foreign)).toBe('NOT_FOUND');
    expect(foreign.errors?.[0]?.message).toBe(unknown.errors?.[0]?.message);
    expect(codeOf(await frontrow.client().run(operations.RefundDocument, { paymentId: hold.id }, buyer))).toBe('NOT_FOUND');
    expect((await refunding('no id')).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'paymentId' });
    expect(await sale.balanceOf(buyer.id)).toBe(3 * PRICE);
  });
});

test('P6: my payments come newest first, page by page, and only mine', async () => {
  const dates = await frontrow.build.concert({ seats: 4, price: PRICE });
  const buyer = await frontrow.build.admittedBuyer(dates.id, { balance: 4 * PRICE });
  const holds = [];
  for (let seat = 1; seat <= 4; seat += 1) holds.push(await sale.hold(buyer, dates.scheduleId, [seat]));
  const paid: string[] = [];
  for (const hold of holds) paid.unshift(only(await sale.pay(buyer, hold.id), 'Payment').id);

  const first = (await sale.me(buyer, { first: 3 })).payments;
  expect(first.nodes.map(({ id }) => id)).toEqual(paid.slice(0, 3));
  expect(first.pageInfo.hasNextPage).toBe(true);
  const second = (await sale.me(buyer, { first: 3, paymentsAfter: first.pageInfo.endCursor ?? null })).payments;
  expect(second.nodes.map(({ id }) => id)).toEqual(paid.slice(3));
  expect(second.pageInfo.hasNextPage).toBe(false);
  for (const size of [0, -1, 101, 1_000_000]) {
    const answer = await frontrow.client().raw('query ($first: Int!) { me { payments(first: $first) { nodes { id } } } }', { first: size }, buyer);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'first' });
  }
  for (const cursor of ['', 'x', 'a'.repeat(22), '%%%']) {
    const answer = await frontrow.client().run(operations.MeDocument, { paymentsAfter: cursor }, buyer);
    if (cursor !== 'a'.repeat(22)) expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
  }
});
