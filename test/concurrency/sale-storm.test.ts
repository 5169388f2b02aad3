import { LedgerEntry } from '../../src/database/entities/ledger-entry.entity.js';
import { Payment } from '../../src/database/entities/payment.entity.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { ReservationSeat } from '../../src/database/entities/reservation-seat.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { RequestError } from '../../src/domain/errors.js';
import { Refusal } from '../../src/domain/refusals.js';
import { databaseNow } from '../../src/database/clock.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { saleOf, viewerOf, type Sale } from '../support/sale.js';

/** Everything at once, on few seats and with holds that end all the time; afterwards the history of every seat and every wallet must add up. */

const BUYERS = 16;
/** Of all buyers together: who is refused tries again, and there is nothing to see where nobody holds anything. */
const HOLDS = 100;
const ROUNDS_MAX = 20_000;
const SEATS = 6;
const PRICE = 10_000;
const BALANCE = 10 * PRICE;

let frontrow: Frontrow;
let sale: Sale;

beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { HOLD_TTL_MS: '40' } });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

/** Always the same sequence for the same seed, so that a failure can be run again. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Refusals are part of a storm; anything else is a fault. */
async function unlessRefused<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Refusal || error instanceof RequestError) return null;
    throw error;
  }
}

async function storm(concert: BuiltConcert, buyer: AdmittedBuyer, seed: number, made: { holds: number }): Promise<void> {
  const random = randomOf(seed);
  const viewer = viewerOf(buyer);
  for (let round = 0; made.holds < HOLDS && round < ROUNDS_MAX; round += 1) {
    const { reservations, payments } = frontrow.instances[random(2)]!.app.services;
    const first = random(SEATS) + 1;
    const seatNumbers = random(2) === 0 ? [first] : [first, (first % SEATS) + 1];
    const hold = await unlessRefused(reservations.reserve(viewer, { scheduleId: concert.scheduleIds[random(2)]!, seatNumbers }));
    if (!hold) continue;
    made.holds += 1;
    const choice = random(5);
    if (choice < 2) {
      const end = choice === 0 ? unlessRefused(reservations.cancel(viewer, hold.id)) : reservations.expire(hold.id);
      const [, payment] = await Promise.all([end, unlessRefused(payments.pay(viewer, buyer.queueToken, hold.id))]);
      // Few stay sold, or the storm would be over soon.
      if (payment && random(16) > 0) await unlessRefused(payments.refund(viewer, payment.id));
    }
    if (choice === 2) await reservations.sweep();
    if (choice > 2) {
      const payment = await unlessRefused(payments.pay(viewer, buyer.queueToken, hold.id));
      if (payment) await Promise.all([unlessRefused(payments.refund(viewer, payment.id)), unlessRefused(payments.refund(viewer, payment.id))]);
    }
  }
}

const endOf = ({ status, expiresAt, updatedAt }: Reservation): number => {
  if (status === 'CONFIRMED') return Infinity;
  return status === 'HELD' || status === 'EXPIRED' ? expiresAt.getTime() : updatedAt.getTime();
};

test('V3, P4, W3: in a storm of reserves, payments, refunds, cancellations and ends no seat is ever two people’s and no money is lost', async () => {
  const concert = await frontrow.build.concert({ seats: SEATS, dates: 2, price: PRICE });
  const buyers = await frontrow.build.admit(concert.id, await frontrow.build.buyers(BUYERS, { balance: BALANCE }));
  const made = { holds: 0 };
  await Promise.all(buyers.map((buyer, index) => storm(concert, buyer, index + 1, made)));

  const em = frontrow.app.transactions.fork();
  const reservations = new Map((await em.find(Reservation, { concertId: concert.id })).map((reservation) => [reservation.id, reservation]));
  const kept = await em.find(ReservationSeat, { reservationId: { $in: [...reservations.keys()] } });
  const histories = Map.groupBy(kept, ({ seatId }) => seatId);
  expect(reservations.size).toBeGreaterThanOrEqual(HOLDS);
  for (const history of histories.values()) {
    const lives = history.map(({ reservationId }) => reservations.get(reservationId)!).sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    lives.slice(1).forEach((next, index) => expect(next.createdAt.getTime()).toBeGreaterThanOrEqual(endOf(lives[index]!)));
  }

  for (const { id } of buyers) {
    const ledger = await em.find(LedgerEntry, { userId: id });
    const paid = (await em.find(Payment, { userId: id, status: 'PAID' })).reduce((sum, { amount }) => sum + amount, 0);
    const balance = await sale.balanceOf(id);
    expect(ledger.reduce((sum, { amount }) => sum + amount, 0)).toBe(balance);
    expect(balance).toBe(BALANCE - paid);
  }

  await eventually(async () => {
    const held = await em.fork().find(Reservation, { concertId: concert.id, status: 'HELD' });
    const now = await databaseNow(em);
    return held.every(({ expiresAt }) => expiresAt <= now);
  }, 'the end of the last holds');
  await frontrow.app.services.reservations.sweep();
  const confirmed = [...(await em.fork().find(Reservation, { concertId: concert.id, status: 'CONFIRMED' }))];
  const seats = await em.fork().find(Seat, { scheduleId: { $in: concert.scheduleIds } });
  expect(seats.filter(({ status }) => status === 'SOLD')).toHaveLength(confirmed.reduce((sum, { seatCount }) => sum + seatCount, 0));
  expect(seats.filter(({ status }) => status === 'HELD')).toEqual([]);
  const live = await em.fork().find(ReservationSeat, { liveSeatId: { $ne: null }, reservationId: { $in: [...reservations.keys()] } });
  expect(live.map(({ reservationId }) => reservationId).every((id) => confirmed.some((one) => one.id === id))).toBe(true);
}, 60_000);
