import type { EntityManager } from '@mikro-orm/mysql';
import { reservationsToEnd, unfinishedCancellations } from '../../src/database/repositories/cancellation.repository.js';
import { openPasses, passesEndedSince, passesOfUsers } from '../../src/database/repositories/queue-line.repository.js';
import { overduePasses, paidPassesOf, queueFactsOf } from '../../src/database/repositories/queue.repository.js';
import { unpublishedEvents } from '../../src/database/repositories/outbox.repository.js';
import { overdueHolds } from '../../src/database/repositories/reservation.repository.js';
import { availableSeatsOf } from '../../src/database/repositories/seat.repository.js';
import { overdueDeliveries } from '../../src/database/repositories/webhook.repository.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { saleOf } from '../support/sale.js';

/** The reads that a busy night repeats all the time find their rows through an index, by the clock too. */

let frontrow: Frontrow;
let concert: Awaited<ReturnType<Frontrow['build']['concert']>>;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: 'all', because: 'its rows are made for the optimizer alone' } });
  concert = await frontrow.build.concert({ seats: 2000 });
  const execute = (sql: string) => frontrow.app.orm.em.getConnection().execute(sql);
  const buyer = await frontrow.build.admittedBuyer(concert.id);
  const { id } = await saleOf(frontrow).hold(buyer, concert.scheduleId, [1]);
  // As after a good sale: nearly every seat is held, and nearly none of the holds is over.
  await execute("update seat set status = 'HELD', held_until = sysdate(3) + interval 1 hour");
  await execute("update seat set held_until = sysdate(3) - interval 1 hour where number <= 10");
  await execute(
    `insert into reservation select uuid(), user_id, concert_id, schedule_id, 'HELD', 1, total_price, sysdate(3) + interval 1 hour, created_at, updated_at
     from reservation, seq_1_to_2000 where id = '${id}'`,
  );
  await execute(`update reservation set expires_at = sysdate(3) - interval 1 second where id = '${id}'`);
  // Many passes are open, nearly none of them over.
  await execute(
    `insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at) select '${concert.id}', uuid(), seq, sysdate(3), sysdate(3) + interval 1 hour from seq_1_to_2000`,
  );
  // Nearly every event was published, nearly every delivery has arrived.
  await execute(
    `insert into outbox_event (event_id, type, user_id, payload, occurred_at, published_at) select uuid(), 'CHARGE_MADE', uuid(), '{}', sysdate(3), sysdate(3) from seq_1_to_2000`,
  );
  await execute(`insert into webhook values ('${concert.id}', 'https://example.com', 'secret', '[]', true, sysdate(3), null, null)`);
  await execute(
    `insert into webhook_delivery select uuid(), '${concert.id}', uuid(), 'CHARGE_MADE', uuid(), seq, '{}', if(seq > 5, 'DELIVERED', 'PENDING'), 1, sysdate(3) - interval 1 minute, 200, null, sysdate(3)
     from seq_1_to_2000`,
  );
  await execute('optimize table seat, reservation, queue_pass, outbox_event, webhook_delivery');
});
afterAll(() => frontrow.stop());

interface Step {
  table: string | null;
  type: string;
  key: string | null;
  ref: string | null;
  rows: number;
  /** Those that were really read at a time, where the statement was carried out. */
  r_rows?: number;
  Extra?: string;
}

/** How the server would carry out what `read` sends. */
async function planOf(read: (em: EntityManager) => Promise<unknown>, change = (sql: string) => sql, how = 'explain'): Promise<Step[]> {
  const em = frontrow.app.transactions.fork();
  let plan: Step[] = [];
  const spy = { execute: async (sql: string, params: unknown[]) => ((plan = await em.execute<Step[]>(`${how} ${change(sql)}`, params)), []) };
  await read(spy as unknown as EntityManager);
  return plan.map(({ rows, r_rows, ...step }) => ({ ...step, rows: Number(rows), ...(r_rows === undefined ? {} : { r_rows: Number(r_rows) }) }));
}
/** SYSDATE() is another at every row, so no index can be asked for it. */
const bySysdate = (sql: string): string => sql.replaceAll('now(3)', 'sysdate(3)');

test('C6: the sweeper finds the holds that are over by a range of their index', async () => {
  const [step] = await planOf((em) => overdueHolds(em, 100));
  expect(step).toMatchObject({ type: 'range', key: 'reservation_expiry_index' });
  expect(step!.rows).toBeLessThan(10);
  const [bad] = await planOf((em) => overdueHolds(em, 100), bySysdate);
  expect(bad!.type).not.toBe('range');
});

test('C6: the available seats of a date are counted by two looks into the index, without the seats that are held', async () => {
  const seatsOf = (plan: Step[]) => plan.filter(({ table }) => table === 'seat');
  const seats = seatsOf(await planOf((em) => availableSeatsOf(em, [concert.scheduleId])));
  expect(seats.map(({ key }) => key)).toEqual(['seat_status_index', 'seat_status_index']);
  for (const { Extra, rows } of seats) {
    expect(Extra).toContain('Using index');
    expect(Extra).not.toMatch(/temporary|filesort/);
    expect(rows).toBeLessThan(100);
  }
  const bad = seatsOf(await planOf((em) => availableSeatsOf(em, [concert.scheduleId]), bySysdate));
  expect(Math.max(...bad.map(({ rows }) => rows))).toBeGreaterThan(500);
});

test('C6: the tick finds the passes that are over by a range of their index', async () => {
  const [step] = await planOf((em) => overduePasses(em, 500));
  expect(step).toMatchObject({ type: 'range', key: 'queue_pass_open_index' });
  expect(step!.rows).toBeLessThan(10);
  const [bad] = await planOf((em) => overduePasses(em, 500), bySysdate);
  expect(bad!.rows).toBeGreaterThan(500);
});

test('C6: the heartbeat asks for the paid passes of those who are active by their keys', async () => {
  const users = await frontrow.app.transactions.fork().execute<{ id: string }[]>('select user_id as id from queue_pass where concert_id = ? limit 5', [concert.id]);
  const [step] = await planOf((em) => paidPassesOf(em, concert.id, users.map(({ id }) => id)));
  expect(step).toMatchObject({ type: 'range', key: 'PRIMARY' });
  expect(step!.rows).toBeLessThanOrEqual(users.length);
});

test('C6: a lost queue is recovered by indexes: the rows of who comes back by their keys, what ended lately by a range', async () => {
  const users = await frontrow.app.transactions.fork().execute<{ id: string }[]>('select user_id as id from queue_pass where concert_id = ? limit 5', [concert.id]);
  const [rows] = await planOf((em) => passesOfUsers(em, concert.id, users.map(({ id }) => id)));
  expect(rows).toMatchObject({ type: 'range', key: 'PRIMARY' });
  const [ended] = await planOf((em) => passesEndedSince(em, concert.id, Date.now(), null, 500));
  expect(ended!.type).toBe('range');
  expect(ended!.rows).toBeLessThan(10);
});

test('C6: a queue that was lost finds its open passes among its own', async () => {
  const [step] = await planOf((em) => openPasses(em, concert.id, null, 500));
  expect(step).toMatchObject({ key: 'PRIMARY', Extra: expect.not.stringContaining('filesort') });
  const [bad] = await planOf((em) => openPasses(em, concert.id, null, 500), (sql) => sql.replace('force index (primary)', 'force index (queue_pass_open_index)'));
  expect(bad).toMatchObject({ key: 'queue_pass_open_index', Extra: expect.stringContaining('filesort') });
});

test('C6: that a date is sold out is seen by two looks into the index, not by reading its seats', async () => {
  const soldOut = await frontrow.build.concert({ seats: 20_000 });
  const em = frontrow.app.transactions.fork();
  await em.execute("update seat set status = 'SOLD' where schedule_id = ?", [soldOut.scheduleId]);
  await em.execute('analyze table seat');
  const read = (of: EntityManager) => queueFactsOf(of, [soldOut.id]);
  const seatsReadBy = (plan: Step[]) => plan.filter(({ table }) => table === 's').reduce((sum, { r_rows }) => sum + r_rows!, 0);
  const plan = await planOf(read, (sql) => sql, 'analyze');
  // The dates first, whatever is sold: otherwise the seats of all concerts are gone through.
  const looks = plan.filter(({ table }) => table === 'd' || table === 's').map(({ table, key }) => [table, key]);
  expect(looks).toEqual([['d', 'schedule_concert_index'], ['s', 'seat_status_index'], ['d', 'schedule_concert_index'], ['s', 'seat_status_index']]);
  expect(plan.filter(({ table }) => table === 's').map(({ type }) => type)).toEqual(['ref', 'ref']);
  expect(seatsReadBy(plan)).toBeLessThan(10);
  const oneLook = (sql: string): string => sql.replaceAll('force index (seat_status_index)', '').replaceAll(/s\.status = '\w+'/g, "s.status in ('AVAILABLE', 'HELD')");
  expect(seatsReadBy(await planOf(read, oneLook, 'analyze'))).toBeGreaterThan(1000);
  expect((await queueFactsOf(em, [soldOut.id])).get(soldOut.id)!.seatsMayRemain).toBe(false);
});

test('C6: the relay finds the events that are not published yet by their index, which has them in order: none of a backlog is sorted', async () => {
  const [step] = await planOf((em) => unpublishedEvents(em, 100));
  expect(step).toMatchObject({ type: 'ref', key: 'outbox_event_published_index', Extra: expect.not.stringContaining('filesort') });
  expect(step!.rows).toBeLessThan(20);
  const [bad] = await planOf((em) => unpublishedEvents(em, 100), (sql) => sql.replace('order by outbox_event.id', 'order by id'));
  expect(bad!.Extra).toContain('filesort');
});

test('C6: the sweeper finds the deliveries whose time has come by a range of their index, and those before them by another', async () => {
  const plan = await planOf((em) => overdueDeliveries(em, concert.id, 2000, 500));
  expect(plan.find(({ table }) => table === 'd')).toMatchObject({ type: 'range', key: 'webhook_delivery_late_index' });
  expect(plan.find(({ table }) => table === 'e')).toMatchObject({ key: 'webhook_delivery_order_index' });
});

test('C6: what cancelled dates still owe is found by their taken seats, without those that were given back', async () => {
  const { scheduleId } = await frontrow.build.concert({ seats: 20_000 });
  const em = frontrow.app.transactions.fork();
  await em.execute('update schedule set cancelled_at = sysdate(3) where id = ?', [scheduleId]);
  await em.execute("update seat set status = 'SOLD', reservation_id = uuid() where schedule_id = ? and number > 19997", [scheduleId]);
  await em.execute('analyze table seat');
  const looksOf = async (change = (sql: string) => sql) => (await planOf((of) => unfinishedCancellations(of, 10), change)).filter(({ table }) => table === 'seat').map(({ key, ref }) => [key, ref]);
  // By date and status; a subquery of this kind does not tell how many rows it has read.
  expect(await looksOf()).toEqual([['seat_status_index', 'func,const'], ['seat_status_index', 'func,const']]);
  const looks = await looksOf((sql) => sql.replaceAll('force index (seat_status_index)', '').replaceAll(/ status = '\w+'/g, " status in ('HELD', 'SOLD')"));
  expect(looks).toEqual([['PRIMARY', 'func'], ['PRIMARY', 'func']]);
  const ending = (await planOf((of) => reservationsToEnd(of, scheduleId, 50), (sql) => sql, 'analyze')).find(({ table }) => table === 's');
  expect(ending!.r_rows).toBeLessThan(10);
  expect(await unfinishedCancellations(em, 10)).toEqual([scheduleId]);
  expect(await reservationsToEnd(em, scheduleId, 50)).toHaveLength(3);
  await em.execute("update seat set status = 'AVAILABLE', reservation_id = null where schedule_id = ?", [scheduleId]);
  expect([await unfinishedCancellations(em, 10), await reservationsToEnd(em, scheduleId, 50)]).toEqual([[], []]);
});
