import { LockMode } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import type { Config } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { Reservation } from '../database/entities/reservation.entity.js';
import {
  dateOf, endedBefore, endReservations, lockReservations, overdueHolds, reservationsByIds, reservationsOfUser, type EndedReservation,
} from '../database/repositories/reservation.repository.js';
import { errnoOf, isDuplicateKey, type Transactions } from '../database/transaction.js';
import { BriefMemo } from './brief-memo.js';
import type { Counters } from '../domain/counters.js';
import { idOfCursor, pageOf, type Page } from '../domain/cursor.js';
import { notFound, RequestError } from '../domain/errors.js';
import { isOver } from '../domain/hold.js';
import { pageSizeOf, seatNumbersOf, uuidOf } from '../domain/input.js';
import { mapIterator, SKIPPED } from '../domain/map-iterator.js';
import { Refusal, ReservationNotCancellable, SeatLimitExceeded, SeatsUnavailable } from '../domain/refusals.js';
import type { ReservationStatus } from '../domain/states.js';
import type { Viewer } from '../domain/viewer.js';
import type { Jobs } from '../redis/jobs.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { Attempt, SeatGate } from '../redis/seat-gate.js';
import { orUnavailable } from '../redis/unavailable.js';
import { afterCommit } from './after-commit.js';
import { announceEnded, freeAgain } from './announce-ended.js';
import { holdSeats, SeatsFoundTaken, takenSeatsOf, type Held } from './hold.js';

const DATE_KEPT_MS = 1000;
const DATES_KEPT_MAX = 1000;
const SWEEP_BATCH = 100;
/** 10,000 holds a run; what is left waits for the next. */
const SWEEP_BATCHES_MAX = 100;

/** Reservations of which a watcher's last message is remembered. */
const SHOWN_KEPT_MAX = 100;

const LIVE_SEAT_KEY = 'reservation_seat_live_unique';

/** A seat has at most one live reservation; a hold is over from `expiresAt` on by the database's clock, whoever writes it down. */
export class ReservationService {
  readonly #dates: BriefMemo<{ concertId: string; capacity: number } | null>;

  constructor(
    private readonly transactions: Transactions,
    private readonly gate: SeatGate,
    private readonly jobs: Jobs,
    private readonly pubsub: PubSub,
    private readonly counters: Counters,
    private readonly config: Config,
  ) {
    this.#dates = new BriefMemo((id) => dateOf(transactions.fork(), id), DATE_KEPT_MS, DATES_KEPT_MAX);
  }

  /** The gate turns away whoever comes second without asking the database; who passes it is judged by the database. */
  async reserve(viewer: Viewer, input: { scheduleId: string; seatNumbers: number[] }): Promise<Reservation> {
    const attempt = await this.#attemptOf(viewer, input);
    if (attempt.numbers.length > this.config.seatsPerUserMax) throw new SeatLimitExceeded(this.config.seatsPerUserMax);
    const { taken, takenAt } = await orUnavailable(this.gate.take(attempt));
    if (taken.length > 0) {
      this.counters.reserveRefused('gate');
      throw new SeatsUnavailable(taken);
    }
    const held = await this.#hold(attempt, takenAt);
    await this.#announceHeld(attempt, takenAt, held);
    return held.reservation;
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
    await this.#announceEnded(ended);
    await freeAgain(repeated, this.gate, this.counters);
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

  /** The hold-expiry job. Ends the hold if its end has come by the database's clock; otherwise answers how long it still has to run. */
  async expire(id: string): Promise<{ remainingMs: number }> {
    const { remainingMs, ended } = await this.transactions.run(async (em) => {
      const [reservation] = await lockReservations(em, [id]);
      if (reservation?.status !== 'HELD') return { remainingMs: 0, ended: [] };
      const now = await databaseNow(em);
      if (!isOver(reservation, now)) return { remainingMs: reservation.expiresAt.getTime() - now.getTime(), ended: [] };
      return { remainingMs: 0, ended: await endReservations(em, [reservation], 'EXPIRED', now) };
    });
    await this.#announceEnded(ended);
    return { remainingMs };
  }

  /** The sweeper: ends holds whose job was lost. Answers how many. */
  async sweep(): Promise<number> {
    let swept = 0;
    const failures: unknown[] = [];
    for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch += 1) {
      const ids = await overdueHolds(this.transactions.fork(), SWEEP_BATCH);
      const ended = ids.length > 0 ? await this.#endOverdue(ids, failures) : [];
      swept += ended.length;
      await this.#announceEnded(ended);
      // Another sweeper may have taken a part of the batch; only a batch with nothing left to take is the last.
      if (ids.length < SWEEP_BATCH || ended.length === 0) break;
    }
    if (failures.length > 0) throw failures[0];
    return swept;
  }

  /** One that cannot be ended keeps no other of its batch from its end. A database that says nothing is not asked a hundred times. */
  async #endOverdue(ids: readonly string[], failures: unknown[]): Promise<EndedReservation[]> {
    try {
      return await this.#endTogether(ids);
    } catch (error) {
      if ((errnoOf(error) ?? 0) <= 0) throw error;
    }
    const ended: EndedReservation[] = [];
    for (const id of ids) {
      try {
        ended.push(...(await this.#endTogether([id])));
      } catch (error) {
        failures.push(error);
      }
    }
    return ended;
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
    return { concertId: date.concertId, scheduleId, userId: viewer.userId, attemptId: uuid(), numbers };
  }

  async #hold(attempt: Attempt, takenAt: number): Promise<Held> {
    try {
      return await this.transactions.run((em) => holdSeats(em, attempt, this.config));
    } catch (error) {
      const refusal = isDuplicateKey(error, LIVE_SEAT_KEY) ? new SeatsUnavailable(await takenSeatsOf(this.transactions.fork(), attempt)) : error;
      await this.#standBack(attempt, takenAt, refusal);
      throw refusal;
    }
  }

  /** Gives the gate's seats back, and tells it what the database knew better. An error that may hide a commit leaves them: they end by themselves. */
  async #standBack(attempt: Attempt, takenAt: number, error: unknown): Promise<void> {
    const rolledBack = error instanceof Refusal || error instanceof RequestError || (errnoOf(error) ?? 0) > 0;
    if (!rolledBack) return;
    if (error instanceof SeatsUnavailable) this.counters.reserveRefused('database');
    await afterCommit(this.counters, {
      // Sent first, so that nobody slips through between the two.
      ...(error instanceof SeatsFoundTaken && { 'gate-learn': () => this.gate.learn(attempt, takenAt, error.seats) }),
      'gate-free': () => this.gate.free(attempt, attempt.attemptId),
    });
  }

  /**
   * The gate's entry is counted from when the attempt passed it, so it ends no later than the hold. A repeated reserve gives back what its attempt took:
   * the hold that was found may have been cancelled since, and its entries must not come back.
   */
  async #announceHeld(attempt: Attempt, takenAt: number, { reservation, remainingMs, isNew, ended }: Held): Promise<void> {
    const { id: reservationId, userId } = reservation;
    await afterCommit(this.counters, {
      ...(!isNew && { 'gate-free': () => this.gate.free(attempt, attempt.attemptId) }),
      ...(isNew && {
        'gate-confirm': () => this.gate.confirm(attempt, reservationId, takenAt + remainingMs),
        'hold-expiry-job': () => this.jobs.addDelayed('hold-expiry', reservationId, { reservationId }, remainingMs),
        publish: () => this.pubsub.publish<'reservationChanged'>(topics.reservationChanged(userId), { reservationId }),
      }),
    });
    if (isNew) this.counters.reservationBecame('HELD');
    await this.#announceEnded(ended);
  }

  #announceEnded(ended: readonly EndedReservation[]): Promise<void> {
    return announceEnded(ended, this.gate, this.pubsub, this.counters);
  }
}
