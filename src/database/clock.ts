import type { EntityManager } from '@mikro-orm/mysql';

/** The database's clock at this moment (not when the statement or transaction began): the one that decides when a hold is over. */
export async function databaseNow(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ now: RawInstant }[]>('select sysdate(3) as now');
  return instantOf(row!.now);
}

/** How a raw query gives a datetime: text without a zone. */
export type RawInstant = Date | string;

/** The database speaks UTC; without the Z this process's own zone would be added. */
export const instantOf = (raw: RawInstant): Date => (raw instanceof Date ? raw : new Date(`${raw.replace(' ', 'T')}Z`));
