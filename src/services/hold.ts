import type { EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../database/clock.js';
import { endReservations, holdsWithFreeSeats, seatsOf, type EndedReservation } from '../database/repositories/reservation.repository.js';
import { quotaKey, seatKey, type DateRow, type Locked, type LockedSeat, type ReservationRow, type SeenSeat } from '../database/repositories/sale.repository.js';
import { insertHolds, type CapturedSeat } from '../database/repositories/sale-writes.repository.js';
import { BRIEFLY, type Asked } from '../database/together.js';
import { badInput, notFound } from '../domain/errors.js';
import type { Happening } from '../domain/event.js';
import { assertNotCancelled, assertOnSale, assertWithinLimit, endOfHold, isOver, isTaken, ownHoldOf, type SaleWindow } from '../domain/hold.js';
import { SeatsUnavailable } from '../domain/refusals.js';
import type { SeatChange } from '../domain/seat-change.js';
import type { Attempt, LearnedSeat } from '../redis/seat-gate.js';
import { Member, NotNow, open, present } from './sale-member.js';

/** The part of reserves in a transaction of many sales: after it every seat asked for is held by its user, or nothing of that reserve has happened. */

export interface HoldPolicy {
  holdTtlMs: number;
  seatsPerUserMax: number;
}

export interface HoldOrder extends Attempt {
  /** Redis's clock when the attempt passed the gate. */
  takenAt: number;
}

export interface Held {
  reservation: ReservationRow;
  /** As they were captured; null where the hold was there before. */
  captured: CapturedSeat[] | null;
  changes: SeatChange[];
  /** How long the hold lasts from now. */
  remainingMs: number;
  /** False where the user's own live hold of exactly these seats was found. */
  isNew: boolean;
}

/** Carries what the database knows of the taken seats, for the gate. */
export class SeatsFoundTaken extends SeatsUnavailable {
  constructor(
    numbers: number[],
    readonly seats: LearnedSeat[],
  ) {
    super(numbers);
  }
}

type TakenSeat = Pick<SeenSeat, 'number' | 'status' | 'reservationId' | 'heldUntil'>;

/** Looked up once seats were seen: what the buyers hold or own, by id, and whose the taken seats are, by reservation. */
interface Known {
  reservations: ReadonlyMap<string, ReservationRow>;
  holders: ReadonlyMap<string, string>;
}

export class HoldMember extends Member<Attempt, Held> {
  date!: DateRow;
  /** What its user holds or owns of the concert. */
  ownIds: string[] = [];
  seats: SeenSeat[] = [];
  /** Holds whose end has come, on its seats. */
  overIds: string[] = [];
  /** Reservations that have seats of it. */
  takenBy: string[] = [];

  judgeDate(dates: ReadonlyMap<string, DateRow>, wait: boolean): void {
    this.judge(() => {
      this.date = present(dates.get(this.request.scheduleId), wait, () => notFound('date'));
      if (this.date.deletedAt) throw notFound('date');
      assertNotCancelled(this.date);
    });
  }

  /** Seats that were read, with a lock or without. */
  see({ rows, now }: Locked<SeenSeat>, own: ReadonlyMap<string, string[]>): void {
    const { scheduleId, numbers } = this.request;
    this.seats = numbers.flatMap((number) => rows.get(seatKey(scheduleId, number)) ?? []);
    this.ownIds = own.get(quotaKey(this.request)) ?? [];
    this.overIds = idsOf(this.seats.filter((seat) => seat.status === 'HELD' && !isTaken(seat, now!)));
    this.takenBy = idsOf(this.seats.filter((seat) => isTaken(seat, now!)));
  }

  get sawAll(): boolean {
    return this.seats.length === this.request.numbers.length;
  }

  /** Seats that somebody else has locked, as they were before: whoever wants one that is another's already need not wait for it. */
  judgeKept({ rows, now }: Locked<SeenSeat>): void {
    if (this.sawAll) return;
    this.judge(() => {
      const { scheduleId, numbers } = this.request;
      const kept = numbers.flatMap((number) => rows.get(seatKey(scheduleId, number)) ?? []);
      const taken = kept.filter((seat) => isTaken(seat, now!) && !this.ownIds.includes(seat.reservationId!));
      if (taken.length > 0) throw new SeatsFoundTaken(taken.map(({ number }) => number), []);
    });
  }

  /** Whoever passes is judged again under the locks of the seats, where they were not locked yet. */
  judgeSeen({ reservations, holders }: Known, policy: HoldPolicy, now: Date | null, wait: boolean): void {
    this.judge(() => {
      const { numbers } = this.request;
      this.#assertAll(this.seats, wait);
      const own = this.ownIds.map((id) => present(reservations.get(id), wait, () => notFound('reservation')));
      const live = own.filter(({ status }) => status === 'HELD' || status === 'CONFIRMED');
      const repeated = ownHoldOf(this.seats, live, now!);
      if (repeated) return this.answer({ reservation: repeated, captured: null, changes: [], remainingMs: repeated.expiresAt.getTime() - now!.getTime(), isNew: false });
      assertOnSale(this.#window(now!));
      this.#assertFree(this.seats, now!, holders);
      assertWithinLimit(live, numbers.length, policy.seatsPerUserMax, now!);
      for (const id of this.overIds) present(reservations.get(id), wait, () => notFound('reservation'));
    });
  }

  /** Where one of these holds would have to end first. */
  putAsideFor(locked: ReadonlySet<string>): void {
    this.judge(() => {
      if (this.overIds.some((id) => locked.has(id))) throw new NotNow();
    });
  }

  /** Waiting for the seats may have taken a while: the hold begins now that they are ours. */
  hold(locked: ReadonlyMap<string, LockedSeat>, policy: HoldPolicy, begins: Date | null, wait: boolean): void {
    this.judge(() => {
      const { attemptId, userId, concertId, scheduleId, numbers } = this.request;
      const seats = numbers.flatMap((number) => locked.get(seatKey(scheduleId, number)) ?? []);
      this.#assertAll(seats, wait);
      this.#assertFree(seats, begins!);
      assertOnSale(this.#window(begins!));
      const expiresAt = endOfHold(begins!, policy.holdTtlMs, this.date);
      const totalPrice = seats.reduce((sum, seat) => sum + seat.price, 0);
      this.answer({
        reservation: { id: attemptId, userId, concertId, scheduleId, status: 'HELD', seatCount: seats.length, totalPrice, expiresAt, createdAt: begins!, updatedAt: begins! },
        captured: seats.map(({ id, number, grade, price }) => ({ reservationId: attemptId, number, seatId: id, grade, price })),
        changes: seats.map(({ number, version }) => ({ number, status: 'HELD', version: version + 1, heldUntil: expiresAt })),
        remainingMs: expiresAt.getTime() - begins!.getTime(),
        isNew: true,
      });
    });
  }

  #window(now: Date): SaleWindow {
    const { opensAt, closesAt, startsAt } = this.date;
    return { now, opensAt, closesAt, startsAt };
  }

  #assertAll(seats: readonly { number: number }[], wait: boolean): void {
    if (seats.length === this.request.numbers.length) return;
    throw wait ? this.#missing(seats) : new NotNow();
  }

  #missing(seats: readonly { number: number }[]): Error {
    const missing = this.request.numbers.filter((number) => !seats.some((seat) => seat.number === number));
    return badInput('seatNumbers', `The date has no seat ${missing.join(', ')}.`);
  }

  #assertFree(seats: readonly TakenSeat[], now: Date, holders: ReadonlyMap<string, string> = new Map()): void {
    const taken = seats.filter((seat) => isTaken(seat, now));
    if (taken.length > 0) throw new SeatsFoundTaken(taken.map(({ number }) => number), learnedOf(taken, now, holders));
    // The end of a hold came after they were seen: it gives way in another try.
    if (seats.some(({ status, reservationId }) => status === 'HELD' && !this.overIds.includes(reservationId!))) throw new NotNow();
  }
}

/** Whose the taken seats are, and for how long: what the gate must know to turn others away, and let the holder pass. */
const learnedOf = (seats: readonly TakenSeat[], now: Date, holders: ReadonlyMap<string, string>): LearnedSeat[] =>
  seats.flatMap(({ number, status, reservationId, heldUntil }) => {
    const userId = holders.get(reservationId ?? '');
    return userId === undefined ? [] : [{ number, reservationId: reservationId!, userId, remainingMs: status === 'SOLD' ? null : heldUntil!.getTime() - now.getTime() }];
  });

const idsOf = (seats: readonly TakenSeat[]): string[] => seats.flatMap(({ reservationId }) => reservationId ?? []);

/** Holds whose end has come give way, with all their seats, of which somebody may have one locked that nobody here asked for. */
export async function endOverHolds(em: EntityManager, holds: readonly HoldMember[], reservations: ReadonlyMap<string, ReservationRow>, now: Date | null, wait: boolean): Promise<EndedReservation[]> {
  const overHolds = (): ReservationRow[] =>
    [...new Set(open(holds).flatMap(({ overIds }) => overIds))].flatMap((id) => reservations.get(id) ?? []).filter((reservation) => isOver(reservation, now!));
  if (!wait) {
    const over = overHolds();
    const free = await holdsWithFreeSeats(em, over);
    const locked = new Set(over.flatMap(({ id }) => (free.has(id) ? [] : [id])));
    for (const hold of holds) hold.putAsideFor(locked);
  }
  return endReservations(em, overHolds(), 'EXPIRED', now!, BRIEFLY);
}

/** Writes the new holds. */
export const writingHolds = (holds: readonly Held[]): Asked<void>[] => insertHolds(holds.map(({ reservation }) => reservation), holds.flatMap(({ captured }) => captured ?? []));

export const toldOfHold = ({ reservation: { id, userId, concertId, scheduleId, totalPrice, expiresAt, createdAt }, captured }: Held): Happening => ({
  type: 'RESERVATION_HELD',
  occurredAt: createdAt,
  userId,
  concertId,
  reservationId: id,
  payload: { scheduleId, seatNumbers: captured!.map(({ number }) => number), totalPrice, expiresAt },
});

/** Which of the seats are taken, asked after the transaction was refused by the unique key. */
export async function takenSeatsOf(em: EntityManager, attempt: Attempt): Promise<number[]> {
  const seats = await seatsOf(em, attempt.scheduleId, attempt.numbers);
  const now = await databaseNow(em);
  const taken = seats.filter((seat) => isTaken(seat, now)).map(({ number }) => number);
  return taken.length > 0 ? taken : [...attempt.numbers];
}
