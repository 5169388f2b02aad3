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
