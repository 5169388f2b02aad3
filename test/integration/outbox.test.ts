import { OutboxEvent } from '../../src/database/entities/outbox-event.entity.js';
import { tell } from '../../src/database/repositories/outbox.repository.js';
import { keys } from '../../src/redis/keys.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { streamed } from '../support/events.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { only, saleOf, viewerOf, type Sale } from '../support/sale.js';

/** What a change tells other systems is written by the transaction of the change, or not at all. */

let frontrow: Frontrow;
let sale: Sale;
let concert: BuiltConcert;
let buyer: AdmittedBuyer;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['told-is-true'], because: 'the negative control tells of what was rolled back' } });
  sale = saleOf(frontrow);
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: 10, price: 10_000 });
  buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 50_000 });
});
afterAll(() => frontrow.stop());

const eventsOf = (userId: string) => frontrow.app.transactions.fork().find(OutboxEvent, { userId }, { orderBy: { id: 'asc' } });
const told = async (userId: string) => (await eventsOf(userId)).map(({ type, reservationId, concertId, payload }) => ({ type, reservationId, concertId, payload: JSON.parse(payload) as unknown }));

test('P3: a hold, its payment and the refund each leave one event, unpublished, with what a reader needs', async () => {
  const { id: reservationId, expiresAt } = await sale.hold(buyer, concert.scheduleId, [1, 2]);
  const { id: paymentId } = only(await sale.pay(buyer, reservationId), 'Payment');
  only(await sale.pay(buyer, reservationId), 'Payment');
  only(await sale.refund(buyer, paymentId), 'Payment');
  only(await sale.refund(buyer, paymentId), 'Payment');
  const about = { reservationId, concertId: concert.id };
  const [scheduleId, seatNumbers] = [concert.scheduleId, [1, 2]];
  expect(await told(buyer.id)).toEqual([
    { type: 'RESERVATION_HELD', ...about, payload: { version: 1, scheduleId, seatNumbers, totalPrice: 20_000, expiresAt } },
    { type: 'PAYMENT_MADE', ...about, payload: { version: 1, paymentId, amount: 20_000, scheduleId, seatNumbers } },
    { type: 'PAYMENT_REFUNDED', ...about, payload: { version: 1, paymentId, amount: 20_000, scheduleId, seatNumbers } },
  ]);
  expect((await eventsOf(buyer.id)).map(({ publishedAt }) => publishedAt)).toEqual([null, null, null]);
});

test('P3: a hold that is given back, one that runs out and one that gives way to the next buyer are told of once each', async () => {
  const cancelled = await sale.hold(buyer, concert.scheduleId, [1]);
  only(await sale.cancel(buyer, cancelled.id), 'Reservation');
  only(await sale.cancel(buyer, cancelled.id), 'Reservation');
  const [swept, replaced] = [await sale.hold(buyer, concert.scheduleId, [2]), await sale.hold(buyer, concert.scheduleId, [3])];
  await frontrow.app.orm.em.getConnection().execute("update reservation r join seat s on s.reservation_id = r.id set r.expires_at = now(3), s.held_until = now(3) where r.status = 'HELD'");
  await frontrow.app.redis.del(keys.seatGate(await frontrow.app.redisRun.current(), concert.id, concert.scheduleId));
  await sale.hold(await frontrow.build.admittedBuyer(concert.id), concert.scheduleId, [3]);
  await frontrow.app.services.reservations.sweep();
  await frontrow.app.services.reservations.expire(swept.id);
  const ends = (await told(buyer.id)).filter(({ type }) => type !== 'RESERVATION_HELD');
  expect(ends).toMatchObject([
    { type: 'RESERVATION_CANCELLED', reservationId: cancelled.id, payload: { version: 1, seatNumbers: [1] } },
    { type: 'RESERVATION_EXPIRED', reservationId: replaced.id, payload: { seatNumbers: [3] } },
    { type: 'RESERVATION_EXPIRED', reservationId: swept.id, payload: { seatNumbers: [2] } },
  ]);
});

test('P3: a charge is told of once for each idempotency key, with the user alone', async () => {
  for (let time = 0; time < 2; time += 1) await sale.charge(buyer, 5000, 'the same key');
  expect(await told(buyer.id)).toEqual([{ type: 'CHARGE_MADE', reservationId: null, concertId: null, payload: { version: 1, chargeId: expect.any(String), amount: 5000 } }]);
});

test('P3: what is rolled back is not told: a refused payment, a refused reserve, and a payment whose transaction fails at its very end', async () => {
  const poor = await frontrow.build.admittedBuyer(concert.id, { balance: 1 });
  const hold = await sale.hold(poor, concert.scheduleId, [1]);
  only(await sale.pay(poor, hold.id), 'InsufficientBalance');
  only(await sale.reserve(buyer, concert.scheduleId, [1, 2]), 'SeatsUnavailable');
  const own = await sale.hold(buyer, concert.scheduleId, [4]);
  const failing = frontrow.app.transactions.run(async (em) => {
    await tell(em, [{ type: 'PAYMENT_MADE', occurredAt: new Date(), userId: buyer.id, concertId: concert.id, reservationId: own.id, payload: {} }]);
    throw new Error('the end of a transaction that fails');
  });
  await expect(failing).rejects.toThrow('that fails');
  expect((await told(poor.id)).map(({ type }) => type)).toEqual(['RESERVATION_HELD']);
  expect((await told(buyer.id)).map(({ type }) => type)).toEqual(['RESERVATION_HELD']);
});

test('P3: and the other way round: a payment whose event cannot be written is not made', async () => {
  const hold = await sale.hold(buyer, concert.scheduleId, [1]);
  const { orm, services } = frontrow.app;
  await orm.em.getConnection().execute("create trigger no_payment_event before insert on outbox_event for each row if new.type = 'PAYMENT_MADE' then signal sqlstate '45000'; end if");
  try {
    await expect(services.payments.pay(viewerOf(buyer), buyer.queueToken, hold.id)).rejects.toThrow();
  } finally {
    await orm.em.getConnection().execute('drop trigger no_payment_event');
  }
  expect(await sale.balanceOf(buyer.id)).toBe(50_000);
  expect((await sale.reservation(buyer, hold.id))?.status).toBe('HELD');
});

test('negative control: an event that is written beside the transaction is told of a change that never was', async () => {
  const beside = frontrow.app.transactions.run(async () => {
    await tell(frontrow.app.transactions.fork(), [{ type: 'CHARGE_MADE', occurredAt: new Date(), userId: buyer.id, concertId: null, reservationId: null, payload: {} }]);
    throw new Error('rolled back');
  });
  await expect(beside).rejects.toThrow('rolled back');
  expect(await told(buyer.id)).toHaveLength(1);
});

test('P3: a pay only writes its event: nothing is published, delivered or asked for before it answers', async () => {
  await frontrow.app.services.webhooks.create({ url: 'http://127.0.0.1:9/nobody', events: ['PAYMENT_MADE'] });
  await frontrow.app.redis.del(keys.events());
  const hold = await sale.hold(buyer, concert.scheduleId, [1]);
  only(await sale.pay(buyer, hold.id), 'Payment');
  expect(await streamed(frontrow.app.redis)).toEqual([]);
  expect(await frontrow.app.transactions.fork().execute('select id from webhook_delivery')).toEqual([]);
  expect((await told(buyer.id)).map(({ type }) => type)).toEqual(['RESERVATION_HELD', 'PAYMENT_MADE']);
});
