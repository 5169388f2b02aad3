import type { EntityManager } from '@mikro-orm/mysql';
import { LockMode } from '@mikro-orm/mysql';
import { notFound } from '../../domain/errors.js';
import { Schedule } from '../entities/schedule.entity.js';

/** Dates that are on sale or were; deleted ones live on only for the reservations that name them. */
export const datesOfConcerts = (em: EntityManager, concertIds: string[]): Promise<Schedule[]> =>
  em.find(Schedule, { concertId: { $in: concertIds }, deletedAt: null }, { orderBy: { startsAt: 'asc', id: 'asc' } });

/** The date, deleted or not, locked until the transaction ends. */
export const lockDate = (em: EntityManager, id: string): Promise<Schedule | null> => em.findOne(Schedule, { id }, { lockMode: LockMode.PESSIMISTIC_WRITE });

/** The date, locked until the transaction ends; NOT_FOUND if it was deleted. */
export async function lockSchedule(em: EntityManager, id: string): Promise<Schedule> {
  const schedule = await em.findOne(Schedule, { id, deletedAt: null }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  if (!schedule) throw notFound('date');
  return schedule;
}

/** Dates that are on sale, or will be within so many ms, those first that opened last or open next: what will be asked for. */
export const datesOnSaleWithin = (em: EntityManager, ms: number, most: number): Promise<{ id: string; seats: number }[]> =>
  em.execute<{ id: string; seats: number }[]>(
    `select d.id, d.total_seats as seats from schedule d join concert c on c.id = d.concert_id
      where c.sale_opens_at <= now(3) + interval ? microsecond and (c.sale_closes_at is null or c.sale_closes_at > now(3))
        and d.starts_at > now(3) and d.deleted_at is null and d.cancelled_at is null
      order by c.sale_opens_at desc, d.starts_at, d.id limit ?`,
    [ms * 1000, most],
  );
