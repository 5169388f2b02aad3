import { Schedule } from '../database/entities/schedule.entity.js';
import { seatRows, type SeatFilter, type SeatRow } from '../database/repositories/seat.repository.js';
import type { Transactions } from '../database/transaction.js';
import { badInput, notFound } from '../domain/errors.js';
import { pageSizeOf, uuidOf } from '../domain/input.js';
import { SEATS_PER_SCHEDULE_MAX } from '../domain/seat-map.js';

/** Tells each seat as it is at this moment: a hold that has run out reads AVAILABLE, whoever has or has not tidied it. */
export class SeatService {
  constructor(private readonly transactions: Transactions) {}

  async ofSchedule(scheduleId: string, filter: SeatFilter): Promise<SeatRow[]> {
    const id = uuidOf('scheduleId', scheduleId);
    if (filter.first !== null) pageSizeOf('first', filter.first);
    if (filter.afterNumber !== null && (filter.afterNumber < 0 || filter.afterNumber > SEATS_PER_SCHEDULE_MAX)) {
      throw badInput('afterNumber', `Must be from 0 to ${SEATS_PER_SCHEDULE_MAX}.`);
    }
    const em = this.transactions.fork();
    const seats = await seatRows(em, id, filter);
    if (seats.length === 0 && !(await em.findOne(Schedule, { id, deletedAt: null }, { fields: ['id'] }))) throw notFound('date');
    return seats;
  }
}
