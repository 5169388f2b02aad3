import { v7 as uuid } from 'uuid';
import { Payment } from '../../src/database/entities/payment.entity.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { ReservationSeat } from '../../src/database/entities/reservation-seat.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { ReservationNotPayable } from '../../src/domain/refusals.js';
import type { AdmittedBuyer } from '../support/builder.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import type { BrokenOnPurpose } from '../support/invariants.js';
import { runHoldJob } from '../support/hold-job.js';
import { saleOf, viewerOf, type Sale } from '../support/sale.js';
import { servicesOf } from '../support/services.js';
import { UnlockedTransactions } from '../support/unlocked.js';

/** Pay against the end of the hold: whoever locks the row first decides, and both sides see the same decision. */

const PRICE = 10_000;
const BATCH = 100;

const BROKEN: BrokenOnPurpose = { invariants: ['paid-is-confirmed', 'expired-in-time', 'paid-in-time', 'seat-one-at-a-time'], because: 'the negative control ends what was paid' };

let frontrow: Frontrow;
let sale: Sale;

beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, brokenOnPurpose: BROKEN });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

interface Racer {
  buyer: AdmittedBuyer;
  reservationId: string;
}

/** Holds as a reserve would leave them, written in bulk. */
async function holds(count: number): Promise<Racer[]> {
  const concert = await frontrow.build.concert({ seats: count, price: PRICE });
  const buyers = await frontrow.build.admit(concert.id, await frontrow.build.buyers(count, { balance: PRICE }));
  const em = frontrow.app.transactions.fork();
  const seats = await em.find(Seat, { scheduleId: concert.scheduleId }, { orderBy: { number: 'asc' } });
  const racers = buyers.map((buyer) => ({ buyer, reservationId: uuid() }));
  const now = new Date();
  const expiresAt = new Date(now.getTime() + 3_600_000);
  await em.insertMany(
    Reservation,
    racers.map(({ buyer, reservationId }) => ({
      id: reservationId, userId: buyer.id, concertId: concert.id, scheduleId: concert.scheduleId, status: 'HELD' as const, seatCount: 1, totalPrice: PRICE, expiresAt, createdAt: now, updatedAt: now,
    })),
  );
  await em.insertMany(
    ReservationSeat,
    racers.map(({ reservationId }, index) => ({ reservationId, number: index + 1, seatId: seats[index]!.id, liveSeatId: seats[index]!.id, grade: 'R', price: PRICE })),
  );
  await em.execute(
    `update seat join reservation_seat rs on rs.seat_id = seat.id join reservation r on r.id = rs.reservation_id
     set seat.status = 'HELD', seat.reservation_id = r.id, seat.held_until = r.expires_at where r.schedule_id = ?`,
    [concert.scheduleId],
  );
  await em.execute(
    `insert into outbox_event (event_id, type, user_id, concert_id, reservation_id, payload, occurred_at)
     select uuid(), 'RESERVATION_HELD', user_id, concert_id, id, '{}', created_at from reservation where schedule_id = ?`,
    [concert.scheduleId],
  );
  return racers;
}

/** Lets holds end at random instants within about the time that paying all of them takes. */
async function endWithin(racers: Racer[], ms: number): Promise<void> {
  const ids = racers.map(({ reservationId }) => reservationId);
  await frontrow.app.transactions.run(async (em) => {
    await em.execute('update reservation set expires_at = sysdate(3) + interval (rand() * ?) * 1000 microsecond where id in (?)', [ms, ids]);
    await em.execute('update seat join reservation r on r.id = seat.reservation_id set seat.held_until = r.expires_at where r.id in (?)', [ids]);
  });
}

type Pay = (racer: Racer) => Promise<'paid' | 'over'>;
type Expire = (reservationId: string) => Promise<{ remainingMs: number }>;

const overOr = (error: unknown): 'over' => {
  if (error instanceof ReservationNotPayable) return 'over';
  throw error;
};

/** Every racer pays once, while the job of its hold comes until the hold is no longer one. */
async function race(racers: Racer[], pay: Pay, expire: Expire): Promise<Map<string, 'paid' | 'over'>> {
  const told = new Map<string, 'paid' | 'over'>();
  let tookMs = 60;
  for (let start = 0; start < racers.length; start += BATCH) {
    const batch = racers.slice(start, start + BATCH);
    await endWithin(batch, tookMs);
    const began = performance.now();
    const payments = Promise.all(batch.map(async (racer) => told.set(racer.reservationId, await pay(racer)))).then(() => {
      tookMs = performance.now() - began;
    });
    await Promise.all([payments, ...batch.map(({ reservationId }) => runHoldJob(() => expire(reservationId)))]);
  }
  return told;
}

interface Outcome {
  paid: number;
  over: number;
  /** Races whose parts disagree: paid and freed, or neither. */
  broken: number;
}

/** What the database says of each race, all its parts together, against what the buyer was told. */
async function outcomeOf(racers: Racer[], told: Map<string, 'paid' | 'over'>): Promise<Outcome> {
  const em = frontrow.app.transactions.fork();
  const ids = racers.map(({ reservationId }) => reservationId);
  const reservations = await em.find(Reservation, { id: { $in: ids } });
  const payments = new Set((await em.find(Payment, { reservationId: { $in: ids } })).map(({ reservationId }) => reservationId));
  const sold = new Set((await em.find(Seat, { reservationId: { $in: ids }, status: 'SOLD' })).map(({ reservationId }) => reservationId));
  const live = new Set((await em.find(ReservationSeat, { reservationId: { $in: ids }, liveSeatId: { $ne: null } })).map(({ reservationId }) => reservationId));
  const balances = new Map(await Promise.all(racers.map(async ({ buyer }) => [buyer.id, await sale.balanceOf(buyer.id)] as const)));
  const outcome: Outcome = { paid: 0, over: 0, broken: 0 };
  for (const { id, status, userId } of reservations) {
    const parts = [status === 'CONFIRMED', payments.has(id), sold.has(id), live.has(id), balances.get(userId) === 0, told.get(id) === 'paid'];
    if (parts.every(Boolean)) outcome.paid += 1;
    else if (!parts.some(Boolean) && status === 'EXPIRED') outcome.over += 1;
    else outcome.broken += 1;
  }
  return outcome;
}

test('V2: in 1,000 races of pay against expiry a reservation is paid or over, never both and never neither', async () => {
  const racers = await holds(1000);
  const { payments } = frontrow.app.services;
  const pay: Pay = ({ buyer, reservationId }) => payments.pay(viewerOf(buyer), buyer.queueToken, reservationId).then(() => 'paid', overOr);
  const { reservations } = frontrow.instances[1]!.app.services;
  const sweeping = { on: true };
  const sweeper = (async () => {
    while (sweeping.on) await reservations.sweep();
  })();
  const told = await race(racers, pay, (id) => reservations.expire(id)).finally(() => {
    sweeping.on = false;
    return sweeper;
  });
  const outcome = await outcomeOf(racers, told);
  expect(outcome.broken).toBe(0);
  expect(outcome.paid + outcome.over).toBe(1000);
  expect(outcome.paid).toBeGreaterThan(100);
  expect(outcome.over).toBeGreaterThan(100);
}, 120_000);

test('negative control: without the row locks a job that reads before a payment commits, and writes after it, ends what was paid', async () => {
  await frontrow.checkInvariants();
  const { app } = frontrow;
  const [paymentJudged, jobJudged, paid] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const paying = new UnlockedTransactions(app.orm, () => (paymentJudged.resolve(), jobJudged.promise));
  const ending = new UnlockedTransactions(app.orm, () => (jobJudged.resolve(), paid.promise));
  const { payments } = servicesOf(app, { transactions: paying });
  const { reservations } = servicesOf(app, { transactions: ending });

  const racers = await holds(1);
  const { buyer, reservationId } = racers[0]!;
  const payment = payments.pay(viewerOf(buyer), buyer.queueToken, reservationId).then(paid.resolve as () => void);
  await paymentJudged.promise;
  await endWithin(racers, 0);
  expect(await reservations.expire(reservationId)).toEqual({ remainingMs: 0 });
  await payment;
  expect(await outcomeOf(racers, new Map([[reservationId, 'paid']]))).toEqual({ paid: 0, over: 0, broken: 1 });
});
