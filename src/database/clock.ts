import type { EntityManager } from '@mikro-orm/mysql';

/** The database's clock at this moment (not when the statement or transaction began): the one that decides when a hold is over. */
export async function databaseNow(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ now: Date | string }[]>('select sysdate(3) as now');
  return new Date(row!.now);
}
