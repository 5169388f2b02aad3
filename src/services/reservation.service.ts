import { LockMode } from '@mikro-orm/mysql';
import type { Config } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { Reservation } from '../database/entities/reservation.entity.js';
import {
  dateOf, endedBefore, endReservations, lockReservations, overdueHolds, reservationsByIds, reservationsOfUser, type EndedReservation,
} from '../database/repositories/reservation.repository.js';
import type { ReservationRow } from '../database/repositories/sale.repository.js';
import type { CapturedSeat } from '../database/repositories/sale-writes.repository.js';
import { errnoOf, isDuplicateKey, wasRolledBack, type Transactions } from '../database/transaction.js';
import { BriefMemo } from './brief-memo.js';
import type { Counters } from '../domain/counters.js';
import { idOfCursor, pageOf, type Page } from '../domain/cursor.js';
import { notFound, RequestError } from '../domain/errors.js';
import { isOver } from '../domain/hold.js';
import { quickId } from '../domain/ids.js';
import { pageSizeOf, seatNumbersOf, uuidOf } from '../domain/input.js';
import { mapIterator, SKIPPED } from '../domain/map-iterator.js';
import { Refusal, ReservationNotCancellable, SeatLimitExceeded, SeatsUnavailable } from '../domain/refusals.js';
import type { ReservationStatus } from '../domain/states.js';
import type { Viewer } from '../domain/viewer.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { Attempt, SeatGate } from '../redis/seat-gate.js';
import { afterCommit } from './after-commit.js';
import type { Announcer } from './announcer.js';
import { SeatsFoundTaken, takenSeatsOf, type Held, type HoldOrder } from './hold.js';
import type { SaleWriter } from './sale-writer.js';

const DATE_KEPT_MS = 1000;
const DATES_KEPT_MAX = 1000;
const SWEEP_BATCH = 100;
/** 10,000 holds a run; what is left waits for the next. */
const SWEEP_BATCHES_MAX = 100;

/** Reservations of which a watcher's last message is remembered. */
const SHOWN_KEPT_MAX = 100;

const LIVE_SEAT_KEY = 'reservation_seat_live_unique';

/** A reservation as it was made; what it captured is null where it was there before. */
export type Reserved = ReservationRow & { captured: CapturedSeat[] | null };

/** A seat has at most one live reservation; a hold is over from `expiresAt` on by the database's clock, whoever writes it down. */
export class ReservationService {
  readonly #dates: BriefMemo<{ concertId: string; capacity: number } | null>;

  constructor(
    private readonly transactions: Transactions,
    private readonly writer: SaleWriter,
    private readonly gate: SeatGate,
    private readonly announcer: Announcer,
    private readonly pubsub: PubSub,
    private readonly counters: Counters,
    private readonly config: Config,
  ) {
    this.#dates = new BriefMemo((id) => dateOf(transactions.fork(), id), DATE_KEPT_MS, DATES_KEPT_MAX);
  }

  /** The gate turns away whoever comes second without asking the database; who passes it is judged by the database. */
  async reserve(viewer: Viewer, input: { scheduleId: string; seatNumbers: number[] }): Promise<Reserved> {
    const attempt = await this.#attemptOf(viewer, input);
    if (attempt.numbers.length > this.config.seatsPerUserMax) throw new SeatLimitExceeded(this.config.seatsPerUserMax);
    const { taken, takenAt } = await this.gate.take(attempt);
    if (taken.length > 0) {
      this.counters.reserveRefused('gate');
      throw new SeatsUnavailable(taken);
    }
    const { reservation, captured } = await this.#hold({ ...attempt, takenAt });
    return { ...reservation, captured };
  }

  /** Gives a live hold back. */
  async cancel(viewer: Viewer, id: string): Promise<Reservation> {
    const reservationId = uuidOf('id', id);
    const { reservation, ended, repeated } = await this.transactions.run(async (em) => {
      const [locked] = await lockReservations(em, [reservationId]);
      if (locked?.userId !== viewer.userId) throw notFound('reservation');
      if (locked.status === 'CANCELLED') return { reservation: locked, ended: [], repeated: await endedBefore(em, locked) };
      const now = await databaseNow(em);
      if (isOver(locked, now)) throw new ReservationNotCancellable('EXPIRED');
      if (locked.status !== 'HELD') throw new ReservationNotCancellable(locked.status);
      return { reservation: locked, ended: await endReservations(em, [locked], 'CANCELLED', now), repeated: null };
    });
    await this.announcer.ended(ended);
    await this.announcer.endedBefore(repeated);
    return Object.assign(reservation, { status: 'CANCELLED' as const });
  }

  async find(viewer: Viewer, id: string): Promise<Reservation | null> {
    const [reservation] = await reservationsByIds(this.transactions.fork(), [uuidOf('id', id)]);
    return reservation?.userId === viewer.userId ? reservation : null;
  }

  async pageOfUser(userId: string, first: number, after: string | null): Promise<Page<Reservation>> {
    const size = pageSizeOf('first', first);
    const afterId = after === null ? null : idOfCursor('after', after);
    return pageOf(await reservationsOfUser(this.transactions.fork(), userId, afterId, size + 1), size);
  }

  /** Each message is read anew, so that it shows the status it announces or a later one. A status comes once: the same change may be told of several times. */
  async watch(viewer: Viewer): Promise<AsyncIterableIterator<Reservation>> {
    const messages = this.pubsub.iterate<'reservationChanged'>(topics.reservationChanged(viewer.userId));
    const shown = new Map<string, ReservationStatus>();
    return mapIterator(messages, async ({ reservationId }) => {
      const [reservation] = await reservationsByIds(this.transactions.fork(), [reservationId]);
      if (!reservation) throw notFound('reservation');
      if (shown.get(reservationId) === reservation.status) return SKIPPED;
      shown.delete(reservationId);
      shown.set(reservationId, reservation.status);
      if (shown.size > SHOWN_KEPT_MAX) shown.delete(shown.keys().next().value!);
      return reservation;
    });
  }

  /** The hold-expiry job. Ends those of the holds whose end has come by the database's clock; otherwise answers how long the last of them still has to run. */
  async expire(...ids: string[]): Promise<{ remainingMs: number }> {
    const failures: unknown[] = [];
    const ends = await this.#endEach(ids, failures, (some) => this.#endHolds(some));
    await this.announcer.ended(ends.flatMap(({ ended }) => ended));
    if (failures.length > 0) throw failures[0];
    return { remainingMs: Math.max(0, ...ends.map(({ remainingMs }) => remainingMs)) };
  }

  #endHolds(ids: readonly string[]): Promise<{ remainingMs: number; ended: EndedReservation[] }> {
    return this.transactions.run(async (em) => {
      const held = (await lockReservations(em, ids)).filter(({ status }) => status === 'HELD');
      if (held.length === 0) return { remainingMs: 0, ended: [] };
      const now = await databaseNow(em);
      const over = held.filter((reservation) => isOver(reservation, now));
      const remainingMs = Math.max(0, ...held.map(({ expiresAt }) => expiresAt.getTime() - now.getTime()));
      return { remainingMs, ended: await endReservations(em, over, 'EXPIRED', now) };
    });
  }

  /** The sweeper: ends holds whose job was lost. Answers how many. */
  async sweep(): Promise<number> {
    let swept = 0;
    const failures: unknown[] = [];
    for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch += 1) {
      const ids = await overdueHolds(this.transactions.fork(), SWEEP_BATCH);
      const ended = ids.length > 0 ? await this.#endOverdue(ids, failures) : [];
      swept += ended.length;
      await this.announcer.ended(ended);
      // Another sweeper may have taken a part of the batch; only a batch with nothing left to take is the last.
      if (ids.length < SWEEP_BATCH || ended.length === 0) break;
    }
    if (failures.length > 0) throw failures[0];
    return swept;
  }

  async #endOverdue(ids: readonly string[], failures: unknown[]): Promise<EndedReservation[]> {
    return (await this.#endEach(ids, failures, (some) => this.#endTogether(some))).flat();
  }

  /** One that cannot be ended keeps no other of its batch from its end. A database that says nothing is not asked a hundred times. */
  async #endEach<End>(ids: readonly string[], failures: unknown[], end: (ids: readonly string[]) => Promise<End>): Promise<End[]> {
    try {
      return [await end(ids)];
    } catch (error) {
      if (ids.length === 1 || (errnoOf(error) ?? 0) <= 0) throw error;
    }
    const ends: End[] = [];
    for (const id of ids) {
      try {
        ends.push(await end([id]));
      } catch (error) {
        failures.push(error);
      }
    }
    return ends;
  }

  /** Those that someone is just paying or ending are left to them. */
  #endTogether(ids: readonly string[]): Promise<EndedReservation[]> {
    return this.transactions.run(async (em) => {
      const locked = await lockReservations(em, ids, LockMode.PESSIMISTIC_PARTIAL_WRITE);
      const now = await databaseNow(em);
      return endReservations(em, locked.filter((reservation) => isOver(reservation, now)), 'EXPIRED', now);
    });
  }

  async #attemptOf(viewer: Viewer, input: { scheduleId: string; seatNumbers: number[] }): Promise<Attempt> {
    const scheduleId = uuidOf('scheduleId', input.scheduleId);
    let date = await this.#dates.get(scheduleId);
    if (!date || input.seatNumbers.some((number) => number > date!.capacity)) date = await this.#dates.refresh(scheduleId);
    if (!date) throw notFound('date');
    const numbers = seatNumbersOf('seatNumbers', input.seatNumbers, date.capacity);
    return { concertId: date.concertId, scheduleId, userId: viewer.userId, attemptId: quickId(), numbers };
  }

  async #hold(order: HoldOrder): Promise<Held> {
    try {
      return await this.writer.hold(order);
    } catch (error) {
      const refusal = isDuplicateKey(error, LIVE_SEAT_KEY) ? new SeatsUnavailable(await takenSeatsOf(this.transactions.fork(), order)) : error;
      await this.#standBack(order, refusal);
      throw refusal;
    }
  }

  /** Gives the gate's seats back, and tells it what the database knew better. An error that may hide a commit leaves them: they end by themselves. */
  async #standBack(order: HoldOrder, error: unknown): Promise<void> {
    const rolledBack = error instanceof Refusal || error instanceof RequestError || wasRolledBack(error);
    if (!rolledBack) return;
    if (error instanceof SeatsUnavailable) this.counters.reserveRefused('database');
    await afterCommit(this.counters, {
      // Sent first, so that nobody slips through between the two.
      ...(error instanceof SeatsFoundTaken && { 'gate-learn': () => this.gate.learn(order, order.takenAt, error.seats) }),
      'gate-free': () => this.gate.free(order, order.attemptId),
    });
  }
}
