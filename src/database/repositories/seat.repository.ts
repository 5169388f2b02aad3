import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import type { GradePrice } from '../../domain/catalogue.js';
import type { DateChanges } from '../../domain/seat-change.js';
import type { LaidOutSeat } from '../../domain/seat-map.js';
import type { StoredSeat } from '../../domain/seat-snapshot.js';
import type { SeatStatus } from '../../domain/states.js';

/** What counts as available: free, or held by a hold whose end has come by the database's clock. For statements that decide, which may have waited for a lock. */
export const SEAT_IS_AVAILABLE = "(status = 'AVAILABLE' or (status = 'HELD' and held_until <= sysdate(3)))";
/** Ms of the database's clock. */
const HELD_UNTIL_MS = "if(status = 'HELD', timestampdiff(microsecond, '1970-01-01', held_until) div 1000, null)";

/** All seats of a date by number, read without hydration: a date may have a hundred thousand. */
export async function storedSeats(em: EntityManager, scheduleId: string): Promise<StoredSeat[]> {
  const rows = await em.execute<StoredSeat[]>(
    `select id, number, section, row_name as \`row\`, grade, price, status, version, ${HELD_UNTIL_MS} as heldUntil from seat where schedule_id = ? order by number`,
    [scheduleId],
  );
  for (const row of rows) {
    row.price = Number(row.price);
    row.heldUntil = row.heldUntil === null ? null : Number(row.heldUntil);
  }
  return rows;
}

/** Some seats of a date. */
export interface SeatsOfDate {
  concertId: string;
  scheduleId: string;
  numbers: readonly number[];
}

/** What became of some seats, of each date at once. */
export async function seatChanges(em: EntityManager, dates: readonly SeatsOfDate[]): Promise<DateChanges[]> {
  if (dates.length === 0) return [];
  const rows = await em.execute<{ scheduleId: string; number: number; status: SeatStatus; version: number; heldUntil: number | string | null }[]>(
    `select schedule_id as scheduleId, number, status, version, ${HELD_UNTIL_MS} as heldUntil from seat force index (primary)
     where ${dates.map(() => '(schedule_id = ? and number in (?))').join(' or ')}`,
    dates.flatMap(({ scheduleId, numbers }) => [scheduleId, numbers]),
  );
  const ofDate = Map.groupBy(rows, ({ scheduleId }) => scheduleId);
  return dates.map(({ concertId, scheduleId }) => ({
    concertId,
    scheduleId,
    seats: (ofDate.get(scheduleId) ?? []).map(({ number, status, version, heldUntil }) => ({ number, status, version, heldUntil: heldUntil === null ? null : new Date(Number(heldUntil)) })),
  }));
}

/** By date: when the next hold ends. */
export async function nextEndsOf(em: EntityManager, scheduleIds: readonly string[]): Promise<Map<string, number>> {
  const next = scheduleIds.map(() => `(select ? as scheduleId, (select ${HELD_UNTIL_MS} from seat where schedule_id = ? and status = 'HELD' and held_until > now(3) order by held_until limit 1) as ends)`);
  const rows = await em.execute<{ scheduleId: string; ends: number | string | null }[]>(next.join(' union all '), scheduleIds.flatMap((id) => [id, id]));
  return new Map(rows.filter(({ ends }) => ends !== null).map(({ scheduleId, ends }) => [scheduleId, Number(ends)]));
}

/** Of one date: two counts are two looks into the index; one count of both reads the entries of all that is held, and sorts them. */
const AVAILABLE_OF_DATE = `(select d.id as scheduleId,
    (select count(*) from seat where schedule_id = d.id and status = 'AVAILABLE') + (select count(*) from seat where schedule_id = d.id and status = 'HELD' and held_until <= now(3)) as seats
  from schedule d where d.id = ? and d.cancelled_at is null and d.starts_at > now(3))`;

/** A date that has begun or was cancelled has none: nothing is sold any more. */
export async function availableSeatsOf(em: EntityManager, scheduleIds: readonly string[]): Promise<Map<string, number>> {
  if (scheduleIds.length === 0) return new Map();
  const rows = await em.execute<{ scheduleId: string; seats: number | string }[]>(scheduleIds.map(() => AVAILABLE_OF_DATE).join(' union all '), [...scheduleIds]);
  return new Map(rows.map((row) => [row.scheduleId, Number(row.seats)]));
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
