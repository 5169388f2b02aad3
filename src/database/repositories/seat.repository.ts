import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import type { GradePrice } from '../../domain/catalogue.js';
import type { LaidOutSeat } from '../../domain/seat-map.js';
import type { SeatStatus } from '../../domain/states.js';

/** What counts as available: free, or held by a hold whose end has come by the database's clock. For statements that decide, which may have waited for a lock. */
export const SEAT_IS_AVAILABLE = "(status = 'AVAILABLE' or (status = 'HELD' and held_until <= sysdate(3)))";
/** The same for reads, which wait for nobody: at the instant the statement begins, which an index can serve. */
const SEAT_READS_AVAILABLE = "(status = 'AVAILABLE' or (status = 'HELD' and held_until <= now(3)))";

/** A seat as it is at this moment, read without hydration: a date may have a hundred thousand. */
export interface SeatRow {
  id: string;
  number: number;
  section: string;
  row: string;
  grade: string;
  price: number;
  status: SeatStatus;
}

export interface SeatFilter {
  status: SeatStatus | null;
  section: string | null;
  first: number | null;
  afterNumber: number | null;
}

const IN_STATUS: { [Status in SeatStatus]: string } = {
  AVAILABLE: SEAT_READS_AVAILABLE,
  HELD: "status = 'HELD' and held_until > now(3)",
  SOLD: "status = 'SOLD'",
};

/** Seats of a date by number. With a status asked for, that status is the answer: the clock is read once, by the filter. */
export async function seatRows(em: EntityManager, scheduleId: string, filter: SeatFilter): Promise<SeatRow[]> {
  const status = filter.status ? `'${filter.status}'` : `case when ${SEAT_READS_AVAILABLE} then 'AVAILABLE' else status end`;
  const conditions = ['schedule_id = ?'];
  const params: unknown[] = [scheduleId];
  if (filter.section !== null) {
    conditions.push('section = ?');
    params.push(filter.section);
  }
  if (filter.afterNumber !== null) {
    conditions.push('number > ?');
    params.push(filter.afterNumber);
  }
  if (filter.status) conditions.push(IN_STATUS[filter.status]);
  if (filter.first !== null) params.push(filter.first);
  const rows = await em.execute<SeatRow[]>(
    `select id, number, section, row_name as \`row\`, grade, price, ${status} as status from seat
      where ${conditions.join(' and ')} order by number ${filter.first === null ? '' : 'limit ?'}`,
    params,
  );
  for (const row of rows) row.price = Number(row.price);
  return rows;
}

/** A date that has begun or was cancelled has none: nothing is sold any more. It is asked for by group, so that the seats are found by their index alone. */
export async function availableSeatsOf(em: EntityManager, scheduleIds: string[]): Promise<Map<string, number>> {
  const rows = await em.execute<{ scheduleId: string; seats: number }[]>(
    `select schedule_id as scheduleId, count(*) as seats from seat where schedule_id in (?) and ${SEAT_READS_AVAILABLE}
      group by schedule_id having (select starts_at from schedule where id = schedule_id and cancelled_at is null) > now(3)`,
    [scheduleIds],
  );
  return new Map(rows.map((row) => [row.scheduleId, Number(row.seats)]));
}

/** Those of the concerts that have dates and no seat left on any that has neither begun nor been cancelled. */
export async function soldOutConcerts(em: EntityManager, concertIds: string[]): Promise<Set<string>> {
  const rows = await em.execute<{ concertId: string }[]>(
    `select c.id as concertId from concert c where c.id in (?)
      and exists (select 1 from schedule d where d.concert_id = c.id and d.deleted_at is null)
      and not exists (select 1 from schedule d join seat on seat.schedule_id = d.id where d.concert_id = c.id and d.starts_at > now(3) and d.cancelled_at is null and ${SEAT_READS_AVAILABLE})`,
    [concertIds],
  );
  return new Set(rows.map((row) => row.concertId));
}

/** Rows of one insert: about half a megabyte, far below the smallest max_allowed_packet, and a pause for other requests after each. */
const ROWS_PER_INSERT = 2000;
const COLUMNS = ['schedule_id', 'number', 'id', 'section', 'row_name', 'grade', 'price', 'status'] as const;
const ONE_ROW = `(${COLUMNS.map(() => '?').join(', ')})`;

/** Adds the seats of a new date, all AVAILABLE at the price of their grade. Call it in a transaction: it takes several statements. */
export async function insertSeats(em: EntityManager, scheduleId: string, seats: Iterable<LaidOutSeat>, priceOf: ReadonlyMap<string, number>): Promise<void> {
  let params: unknown[] = [];
  const flush = async (): Promise<void> => {
    if (params.length === 0) return;
    const rows = Array<string>(params.length / COLUMNS.length).fill(ONE_ROW).join(', ');
    await em.execute(`insert into seat (${COLUMNS.join(', ')}) values ${rows}`, params, 'run');
    params = [];
  };
  for (const { number, section, row, grade } of seats) {
    params.push(scheduleId, number, uuid(), section, row, grade, priceOf.get(grade), 'AVAILABLE');
    if (params.length === ROWS_PER_INSERT * COLUMNS.length) await flush();
  }
  await flush();
}

/**
 * Gives a date's available seats the prices of their grades. Seats that are held or sold keep theirs. Goes through the seats by number, as
 * reserve does, so that the two wait for each other and never in a circle.
 */
export async function repriceAvailable(em: EntityManager, scheduleId: string, prices: readonly GradePrice[]): Promise<void> {
  await em.execute(
    `update seat force index (primary) set price = case grade ${prices.map(() => 'when ? then ?').join(' ')} end
      where schedule_id = ? and grade in (?) and ${SEAT_IS_AVAILABLE}`,
    [...prices.flatMap(({ grade, amount }) => [grade, amount]), scheduleId, prices.map(({ grade }) => grade)],
    'run',
  );
}

export async function seatNumbersIn(em: EntityManager, scheduleId: string, numbers: readonly number[]): Promise<number[]> {
  const rows = await em.execute<{ number: number }[]>('select number from seat where schedule_id = ? and number in (?) order by number', [scheduleId, numbers]);
  return rows.map(({ number }) => number);
}

/**
 * Deletes seats of a date (`numbers`, or all) and answers none; or answers those that are held or sold, and the caller rolls back. Holds that have
 * run out are locked before their seats: a payment that began in time may still be on its way to SOLD, and is waited for.
 */
export async function deleteAvailable(em: EntityManager, scheduleId: string, numbers: readonly number[] | null): Promise<number[]> {
  const [chosen, params] = numbers ? ['schedule_id = ? and number in (?)', [scheduleId, numbers]] : ['schedule_id = ?', [scheduleId]];
  const taken = await em.execute<{ number: number }[]>(`select number from seat where ${chosen} and not ${SEAT_IS_AVAILABLE} order by number`, params);
  if (taken.length > 0) return taken.map(({ number }) => number);
  const over = await em.execute<{ id: string }[]>(
    `select distinct reservation_id as id from seat where ${chosen} and status = 'HELD' and held_until <= sysdate(3) and reservation_id is not null`,
    params,
  );
  const ids = over.map(({ id }) => id);
  if (ids.length > 0) await em.execute('select id from reservation where id in (?) order by id for update', [ids]);
  const runOut = ids.length > 0 ? "or (status = 'HELD' and held_until <= sysdate(3) and reservation_id in (?))" : '';
  await em.execute(`delete from seat where ${chosen} and (status = 'AVAILABLE' ${runOut})`, ids.length > 0 ? [...params, ids] : params, 'run');
  const kept = await em.execute<{ number: number }[]>(`select number from seat where ${chosen} order by number`, params);
  return kept.map(({ number }) => number);
}
