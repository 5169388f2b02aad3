import type { EntityManager } from '@mikro-orm/mysql';

/** What counts as available: free, or held by a hold whose end has come by the database's clock. */
export const SEAT_IS_AVAILABLE = "(status = 'AVAILABLE' or (status = 'HELD' and held_until <= sysdate(3)))";

export async function availableSeatsOf(em: EntityManager, scheduleIds: string[]): Promise<Map<string, number>> {
  const rows = await em.execute<{ scheduleId: string; seats: number }[]>(
    `select schedule_id as scheduleId, count(*) as seats from seat where schedule_id in (?) and ${SEAT_IS_AVAILABLE} group by schedule_id`,
    [scheduleIds],
  );
  return new Map(rows.map((row) => [row.scheduleId, Number(row.seats)]));
}

/** Those of the concerts that have a seat left on some date. */
export async function concertsWithSeats(em: EntityManager, concertIds: string[]): Promise<Set<string>> {
  const rows = await em.execute<{ concertId: string }[]>(
    `select c.id as concertId from concert c where c.id in (?) and exists (
       select 1 from schedule d join seat on seat.schedule_id = d.id where d.concert_id = c.id and ${SEAT_IS_AVAILABLE})`,
    [concertIds],
  );
  return new Set(rows.map((row) => row.concertId));
}
