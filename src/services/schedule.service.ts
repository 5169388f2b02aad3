import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { Schedule } from '../database/entities/schedule.entity.js';
import { Venue } from '../database/entities/venue.entity.js';
import type { Loaders } from '../database/loaders.js';
import { lockConcert, pricesOfConcert } from '../database/repositories/concert.repository.js';
import { lockSchedule } from '../database/repositories/schedule.repository.js';
import { deleteAvailable, insertSeats, seatNumbersIn } from '../database/repositories/seat.repository.js';
import type { Transactions } from '../database/transaction.js';
import { futureOf, SCHEDULES_PER_CONCERT_MAX } from '../domain/catalogue.js';
import type { Counters } from '../domain/counters.js';
import { badInput } from '../domain/errors.js';
import { seatNumbersOf, uuidOf } from '../domain/input.js';
import { SeatsNotRemovable } from '../domain/refusals.js';
import { gradesOf, laidOutSeatsOf, layoutOf, SEATS_PER_SCHEDULE_MAX, SEATS_REMOVED_MAX, seatCountOf, type SectionLayout } from '../domain/seat-map.js';
import { afterCommit } from './after-commit.js';
import type { Catalogue } from './catalogue.js';
import type { SeatBoard } from './seat-board.js';

export interface NewSchedule {
  concertId: string;
  startsAt: Date;
  sections?: SectionLayout[] | null;
}

/** A date exists with all its seats or not at all, and no seat that is held or sold ever disappears. */
export class ScheduleService {
  constructor(
    private readonly transactions: Transactions,
    private readonly catalogue: Catalogue,
    private readonly board: SeatBoard,
    private readonly counters: Counters,
  ) {}

  /** NOT_FOUND without such a concert. */
  async ofConcert(concertId: string, availableOnly: boolean, loaders: Loaders): Promise<Schedule[]> {
    const id = uuidOf('concertId', concertId);
    await loaders.concert.load(id);
    return this.datesOf(id, availableOnly, loaders);
  }

  async datesOf(concertId: string, availableOnly: boolean, loaders: Loaders): Promise<Schedule[]> {
    const dates = await loaders.datesOfConcert.load(concertId);
    if (!availableOnly) return dates;
    const seatsLeft = await Promise.all(dates.map((date) => loaders.availableSeats.load(date.id)));
    return dates.filter((_date, index) => seatsLeft[index]! > 0);
  }

  async create(input: NewSchedule): Promise<Schedule> {
    const concertId = uuidOf('concertId', input.concertId);
    const given = input.sections ? layoutOf('sections', input.sections) : null;
    const changed = await this.transactions.run(async (em) => {
      const concert = await lockConcert(em, concertId);
      const now = await databaseNow(em);
      const startsAt = futureOf('startsAt', input.startsAt, now);
      if ((await em.count(Schedule, { concertId, deletedAt: null })) >= SCHEDULES_PER_CONCERT_MAX) {
        throw badInput('concertId', `A concert has at most ${SCHEDULES_PER_CONCERT_MAX} dates.`);
      }
      const sections = given ?? (await em.findOneOrFail(Venue, { id: concert.venueId })).sections;
      const totalSeats = seatCountOf(sections);
      if (totalSeats === 0) throw badInput('sections', 'The venue has no layout: give the sections.');
      const prices = await pricesOfConcert(em, concertId);
      const unpriced = gradesOf(sections).filter((grade) => !prices.has(grade));
      if (unpriced.length > 0) throw badInput('sections', `The concert has no price for grade ${unpriced.join(', ')}; set it with setPrices.`);
      const schedule = em.create(Schedule, { id: uuid(), concertId, startsAt, totalSeats, createdAt: now, deletedAt: null });
      await em.persist(schedule).flush();
      await insertSeats(em, schedule.id, laidOutSeatsOf(sections), prices);
      return schedule;
    });
    await this.#tellChanged(changed.id, false);
    return changed;
  }

  async update(id: string, change: { startsAt: Date }): Promise<Schedule> {
    const scheduleId = uuidOf('id', id);
    const changed = await this.transactions.run(async (em) => {
      const schedule = await lockSchedule(em, scheduleId);
      schedule.startsAt = futureOf('startsAt', change.startsAt, await databaseNow(em));
      await em.flush();
      return schedule;
    });
    await this.#tellChanged(changed.id, false);
    return changed;
  }

  /** All the seats named or none. The other seats keep their numbers. */
  async removeSeats(scheduleId: string, seatNumbers: readonly number[]): Promise<Schedule> {
    const id = uuidOf('scheduleId', scheduleId);
    const numbers = seatNumbersOf('seatNumbers', seatNumbers, SEATS_PER_SCHEDULE_MAX, SEATS_REMOVED_MAX);
    const changed = await this.transactions.run(async (em) => {
      const schedule = await lockSchedule(em, id);
      const existing = new Set(await seatNumbersIn(em, id, numbers));
      const missing = numbers.filter((number) => !existing.has(number));
      if (missing.length > 0) throw badInput('seatNumbers', `The date has no seat ${missing.join(', ')}.`);
      const kept = await deleteAvailable(em, id, numbers);
      if (kept.length > 0) throw new SeatsNotRemovable(kept);
      schedule.totalSeats -= numbers.length;
      await em.flush();
      return schedule;
    });
    await this.#tellChanged(changed.id, true);
    return changed;
  }

  /** Takes the date and its seats off the list; reservations of the past still name it. Deleting a deleted date is NOT_FOUND. */
  async delete(id: string): Promise<Schedule> {
    const scheduleId = uuidOf('id', id);
    const changed = await this.transactions.run(async (em) => {
      const schedule = await lockSchedule(em, scheduleId);
      const kept = await deleteAvailable(em, scheduleId, null);
      if (kept.length > 0) throw new SeatsNotRemovable(kept);
      schedule.totalSeats = 0;
      schedule.deletedAt = await databaseNow(em);
      await em.flush();
      return schedule;
    });
    await this.#tellChanged(changed.id, true);
    return changed;
  }

  async #tellChanged(scheduleId: string, otherSeats: boolean): Promise<void> {
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed(), seats: () => this.board.renew(otherSeats ? [scheduleId] : []) });
  }
}
