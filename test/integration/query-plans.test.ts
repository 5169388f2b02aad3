import type { EntityManager } from '@mikro-orm/mysql';
import { overdueHolds } from '../../src/database/repositories/reservation.repository.js';
import { availableSeatsOf } from '../../src/database/repositories/seat.repository.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { saleOf } from '../support/sale.js';

/** The reads that a busy night repeats all the time find their rows through an index, by the clock too. */

let frontrow: Frontrow;
let concert: Awaited<ReturnType<Frontrow['build']['concert']>>;
beforeAll(async () => {
  frontrow = await startFrontrow();
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
  await execute('optimize table seat, reservation');
});
afterAll(() => frontrow.stop());

interface Step {
  type: string;
  key: string | null;
  rows: number;
}

/** How the server would carry out what `read` sends. */
async function planOf(read: (em: EntityManager) => Promise<unknown>, change = (sql: string) => sql): Promise<Step[]> {
  const em = frontrow.app.transactions.fork();
  let plan: Step[] = [];
  const spy = { execute: async (sql: string, params: unknown[]) => ((plan = await em.execute<Step[]>(`explain ${change(sql)}`, params)), []) };
  await read(spy as unknown as EntityManager);
  return plan.map(({ type, key, rows }) => ({ type, key, rows: Number(rows) }));
}
/** SYSDATE() is another at every row, so no index can be asked for it. */
const bySysdate = (sql: string): string => sql.replaceAll('now(3)', 'sysdate(3)');

test('the sweeper finds the holds that are over by a range of their index', async () => {
  const [step] = await planOf((em) => overdueHolds(em, 100));
  expect(step).toMatchObject({ type: 'range', key: 'reservation_expiry_index' });
  expect(step!.rows).toBeLessThan(10);
  const [bad] = await planOf((em) => overdueHolds(em, 100), bySysdate);
  expect(bad!.type).not.toBe('range');
});

test('the available seats of a date are counted by ranges of the index, without the seats that are held', async () => {
  const [step] = await planOf((em) => availableSeatsOf(em, [concert.scheduleId]));
  expect(step).toMatchObject({ type: 'range', key: 'seat_status_index' });
  expect(step!.rows).toBeLessThan(100);
  const [bad] = await planOf((em) => availableSeatsOf(em, [concert.scheduleId]), bySysdate);
  expect(bad!.rows).toBeGreaterThan(step!.rows * 10);
});
