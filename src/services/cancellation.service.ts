import type { EntityManager } from '@mikro-orm/mysql';
import { databaseNow } from '../database/clock.js';
import { Payment } from '../database/entities/payment.entity.js';
import { Schedule } from '../database/entities/schedule.entity.js';
import { failuresOf, noteFailure, progressOf, reservationsToEnd, unfinishedCancellations, type FailedEnding } from '../database/repositories/cancellation.repository.js';
import { endReservations, lockReservations, type EndedReservation } from '../database/repositories/reservation.repository.js';
import { lockDate } from '../database/repositories/schedule.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { notFound } from '../domain/errors.js';
import { isOver } from '../domain/hold.js';
import { uuidOf } from '../domain/input.js';
import type { CancellationStatus } from '../domain/states.js';
import type { Jobs } from '../redis/jobs.js';
import { afterCommit } from './after-commit.js';
import type { Announcer } from './announcer.js';
import type { Catalogue } from './catalogue.js';
import { refundPayment } from './refund.js';

/** One job ends this many and comes again for the rest, so that a process that stops waits for one batch. */
const BATCH = 50;
/** Of a batch so many are ended at a time: the requests of buyers need connections too. */
const AT_A_TIME = 4;
const DATES_PER_SWEEP = 100;
const FAILURES_SHOWN_MAX = 20;
const ERROR_LENGTH_MAX = 200;

export interface Cancellation {
  schedule: Schedule;
  status: CancellationStatus;
  paymentsTotal: number;
  paymentsRefunded: number;
  refundedAmount: number;
  holdsCancelled: number;
  reservationsLeft: number;
  failures: FailedEnding[];
  startedAt: Date;
  finishedAt: Date | null;
}

/**
 * From the commit of a cancellation on nothing of the date is reserved or paid, and everything held or paid is given back, each in a transaction of its own.
 * What is left to do is what the rows say, so that several jobs may work at it at once, and each may die.
 */
export class CancellationService {
  constructor(
    private readonly transactions: Transactions,
    private readonly jobs: Jobs,
    private readonly announcer: Announcer,
    private readonly catalogue: Catalogue,
    private readonly counters: Counters,
  ) {}

  /** Cancelling a cancelled date answers how far it is. */
  async cancel(scheduleId: string): Promise<Cancellation> {
    const id = uuidOf('id', scheduleId);
    const schedule = await this.transactions.run((em) => cancelDate(em, id));
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed(), 'cancellation-job': () => this.#begin(id) });
    return this.#progress(schedule);
  }

  /** Null while the date is not cancelled. */
  async find(scheduleId: string): Promise<Cancellation | null> {
    const schedule = await this.transactions.fork().findOne(Schedule, { id: uuidOf('scheduleId', scheduleId) });
    if (!schedule) throw notFound('date');
    return schedule.cancelledAt ? this.#progress(schedule) : null;
  }

  /** The cancellation job: ends one batch, and tells whether there is more that can be ended now. */
  async run(scheduleId: string): Promise<{ more: boolean }> {
    const em = this.transactions.fork();
    const date = await em.findOne(Schedule, { id: scheduleId });
    if (!date?.cancelledAt) return { more: false };
    const ids = await reservationsToEnd(em, scheduleId, BATCH);
    const waiting = ids[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (const id of waiting) await this.#end(id);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return { more: ids.length === BATCH };
  }

  /** The sweeper: dates whose job was lost, or of which something failed. */
  async beginUnfinished(): Promise<void> {
    const ids = await unfinishedCancellations(this.transactions.fork(), DATES_PER_SWEEP);
    for (const id of ids) await afterCommit(this.counters, { 'cancellation-job': () => this.jobs.hurry('cancellation', id, { scheduleId: id }) });
  }

  #begin(scheduleId: string): Promise<void> {
    return this.jobs.addDelayed('cancellation', scheduleId, { scheduleId }, 0);
  }

  /** One that cannot be ended stops none of the others; where not even that can be written down, the job fails and comes again. */
  async #end(reservationId: string): Promise<void> {
    try {
      const ended = await this.transactions.run((em) => endReservation(em, reservationId));
      await this.announcer.ended(ended);
      for (const { status } of ended) this.counters.cancellationEnded(status);
    } catch (error) {
      this.counters.cancellationFailed(reservationId, error);
      await noteFailure(this.transactions.fork(), reservationId, String(error).slice(0, ERROR_LENGTH_MAX));
    }
  }

  async #progress(schedule: Schedule): Promise<Cancellation> {
    const startedAt = schedule.cancelledAt!;
    const em = this.transactions.fork();
    const { left, lastChangeAt, ...figures } = await progressOf(em, schedule.id, startedAt);
    const failures = left > 0 ? await failuresOf(em, schedule.id, FAILURES_SHOWN_MAX) : [];
    const status = left > 0 ? 'RUNNING' : 'DONE';
    return { schedule, status, ...figures, reservationsLeft: left, failures, startedAt, finishedAt: left > 0 ? null : (lastChangeAt ?? startedAt) };
  }
}

/** The date's lock waits for those who are reserving or paying it, and whoever comes later sees it cancelled. */
async function cancelDate(em: EntityManager, id: string): Promise<Schedule> {
  const schedule = await lockDate(em, id);
  if (!schedule || (schedule.deletedAt && !schedule.cancelledAt)) throw notFound('date');
  schedule.cancelledAt ??= await databaseNow(em);
  await em.flush();
  return schedule;
}

async function endReservation(em: EntityManager, id: string): Promise<EndedReservation[]> {
  const payment = await em.findOne(Payment, { reservationId: id });
  if (payment) return (await refundPayment(em, payment)).ended;
  const [reservation] = await lockReservations(em, [id]);
  if (reservation?.status !== 'HELD') return [];
  const now = await databaseNow(em);
  return endReservations(em, [reservation], isOver(reservation, now) ? 'EXPIRED' : 'CANCELLED', now);
}
