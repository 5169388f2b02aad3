import type { EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../database/clock.js';
import {
  endReservations, lockQuota, lockReservations, lockReservationsOfQuota, lockSeats, saleWindowOf, seatsOf, type EndedReservation,
} from '../database/repositories/reservation.repository.js';
import { tell } from '../database/repositories/outbox.repository.js';
import { shareSchedule } from '../database/repositories/schedule.repository.js';
import { Reservation } from '../database/entities/reservation.entity.js';
import { ReservationSeat } from '../database/entities/reservation-seat.entity.js';
import { Seat } from '../database/entities/seat.entity.js';
import { badInput, notFound } from '../domain/errors.js';
import { assertNotCancelled, assertOnSale, assertWithinLimit, endOfHold, isOver, isTaken, ownHoldOf } from '../domain/hold.js';
import { SeatsUnavailable } from '../domain/refusals.js';
import type { Attempt, LearnedSeat } from '../redis/seat-gate.js';

/** The transaction of a reserve: after it every seat asked for is held by this user, or nothing has changed. */

export interface HoldPolicy {
  holdTtlMs: number;
  seatsPerUserMax: number;
}

export interface Held {
  reservation: Reservation;
  /** How long the hold lasts from now. */
  remainingMs: number;
  /** False where the user's own live hold of exactly these seats was found. */
  isNew: boolean;
  /** Holds that were over and gave way. */
  ended: EndedReservation[];
}

/** Carries what the database knows of the taken seats, for the gate. */
export class SeatsFoundTaken extends SeatsUnavailable {
  constructor(readonly seats: LearnedSeat[]) {
    super(seats.map(({ number }) => number));
  }
}

export async function holdSeats(em: EntityManager, attempt: Attempt, policy: HoldPolicy): Promise<Held> {
  const date = await shareSchedule(em, attempt.scheduleId);
  if (!date || date.deletedAt) throw notFound('date');
  assertNotCancelled(date);
  await lockQuota(em, attempt.userId, attempt.concertId);
  const own = await lockReservationsOfQuota(em, attempt.userId, attempt.concertId);
  const seats = await seatsOf(em, attempt.scheduleId, attempt.numbers);
  const window = await saleWindowOf(em, date);
  const { now } = window;
  if (seats.length !== attempt.numbers.length) throw missingSeats(attempt.numbers, seats);

  const repeated = ownHoldOf(seats, own, now);
  if (repeated) return { reservation: repeated, remainingMs: repeated.expiresAt.getTime() - now.getTime(), isNew: false, ended: [] };
  assertOnSale(window);
  await assertFree(em, seats, now);
  assertWithinLimit(own, attempt.numbers.length, policy.seatsPerUserMax, now);

  const ended = await endOverHolds(em, seats, now);
  const locked = await lockSeats(em, attempt.scheduleId, attempt.numbers);
  if (locked.length !== attempt.numbers.length) throw missingSeats(attempt.numbers, locked);
  await assertFree(em, locked, now);
  // Waiting for the seats may have taken a while: the hold begins now that they are ours.
  const begins = await databaseNow(em);
  assertOnSale({ ...window, now: begins });
  const reservation = await insertHold(em, attempt, locked, begins, endOfHold(begins, policy.holdTtlMs, window));
  return { reservation, remainingMs: reservation.expiresAt.getTime() - begins.getTime(), isNew: true, ended };
}

const missingSeats = (numbers: readonly number[], seats: readonly Seat[]): Error => {
  const missing = numbers.filter((number) => !seats.some((seat) => seat.number === number));
  return badInput('seatNumbers', `The date has no seat ${missing.join(', ')}.`);
};

async function assertFree(em: EntityManager, seats: readonly Seat[], now: Date): Promise<void> {
  const taken = seats.filter((seat) => isTaken(seat, now));
  if (taken.length > 0) throw new SeatsFoundTaken(await learnedOf(em, taken, now));
}

/** Whose the taken seats are, and for how long: what the gate must know to turn others away, and let the holder pass. */
async function learnedOf(em: EntityManager, seats: readonly Seat[], now: Date): Promise<LearnedSeat[]> {
  const ids = [...new Set(seats.flatMap((seat) => seat.reservationId ?? []))];
  const holders = new Map((await em.find(Reservation, { id: { $in: ids } })).map((reservation) => [reservation.id, reservation.userId]));
  return seats.map(({ number, status, reservationId, heldUntil }) => ({
    number,
    reservationId: reservationId ?? '',
    userId: holders.get(reservationId ?? '') ?? '',
    remainingMs: status === 'SOLD' ? null : heldUntil!.getTime() - now.getTime(),
  }));
}

/** Holds on these seats whose end has come give way, with all their seats. */
async function endOverHolds(em: EntityManager, seats: readonly Seat[], now: Date): Promise<EndedReservation[]> {
  const ids = [...new Set(seats.filter((seat) => seat.status === 'HELD').map((seat) => seat.reservationId!))];
  if (ids.length === 0) return [];
  const locked = await lockReservations(em, ids);
  return endReservations(em, locked.filter((reservation) => isOver(reservation, now)), 'EXPIRED', now);
}

/** The unique key of live seats is what makes a second live reservation impossible; everything before it only makes the refusal kinder. */
async function insertHold(em: EntityManager, attempt: Attempt, seats: readonly Seat[], now: Date, expiresAt: Date): Promise<Reservation> {
  const { attemptId: id, userId, concertId, scheduleId, numbers } = attempt;
  const held = await em.nativeUpdate(
    Seat,
    { scheduleId, number: { $in: [...numbers] }, status: 'AVAILABLE' },
    { status: 'HELD', reservationId: id, heldUntil: expiresAt },
  );
  if (held !== numbers.length) throw new SeatsUnavailable([...numbers]);
  const totalPrice = seats.reduce((sum, seat) => sum + seat.price, 0);
  const reservation = em.create(Reservation, {
    id, userId, concertId, scheduleId, status: 'HELD', seatCount: seats.length, totalPrice, expiresAt, createdAt: now, updatedAt: now,
  });
  for (const seat of seats) {
    em.create(ReservationSeat, { reservationId: id, number: seat.number, seatId: seat.id, liveSeatId: seat.id, grade: seat.grade, price: seat.price });
  }
  await em.flush();
  const payload = { scheduleId, seatNumbers: numbers, totalPrice, expiresAt };
  await tell(em, [{ type: 'RESERVATION_HELD', occurredAt: now, userId, concertId, reservationId: id, payload }]);
  return reservation;
}

/** Which of the seats are taken, asked after the transaction was refused by the unique key. */
export async function takenSeatsOf(em: EntityManager, attempt: Attempt): Promise<number[]> {
  const seats = await seatsOf(em, attempt.scheduleId, attempt.numbers);
  const now = await databaseNow(em);
  const taken = seats.filter((seat) => isTaken(seat, now)).map(({ number }) => number);
  return taken.length > 0 ? taken : [...attempt.numbers];
}
