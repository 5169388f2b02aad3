import type { EntityManager } from '@mikro-orm/mysql';
import { idSql } from './ids.js';

/** What the writes are done on: buyers with money and passes, and dates of their own for every measurement. */

export const PRICE = 10_000;
const BALANCE = 100_000_000;

const run = (em: EntityManager, sql: string): Promise<unknown> => em.execute(sql, [], 'run');

/** Users 1 to `count`, signed in, with a balance that the ledger explains. */
export async function addUsers(em: EntityManager, count: number): Promise<void> {
  const of = `seq_1_to_${count}`;
  const [user, charge] = [idSql('user', 'seq'), idSql('charge', 'seq')];
  await run(em, `insert into user select ${user}, concat('u', seq, '@example.com'), concat('Buyer ', seq), 'none', 'USER', now(3) from ${of}`);
  await run(em, `insert into session select ${idSql('session', 'seq')}, ${user}, 1, now(3), now(3) + interval 7 day, null, now(3) from ${of}`);
  await run(em, `insert into wallet select ${user}, ${BALANCE}, 1 from ${of}`);
  await run(em, `insert into charge select ${charge}, ${user}, 'built.', ${BALANCE}, ${BALANCE}, now(3) from ${of}`);
  await run(em, `insert into ledger_entry (user_id, kind, amount, balance_after, source_id, created_at) select ${user}, 'CHARGE', ${BALANCE}, ${BALANCE}, ${charge}, now(3) from ${of}`);
}

/** Concert `n` with one date `n` of so many seats, on sale; users 1 to `admitted` have a pass for it. */
export async function addConcert(em: EntityManager, n: number, seats: number, admitted: number): Promise<void> {
  const [concert, schedule, venue] = [idSql('concert', n), idSql('schedule', n), idSql('venue', n)];
  await run(em, `insert into venue values (${venue}, 'Hall', null, 'Asia/Seoul', '[]', now(3))`);
  await run(em, `insert into concert (id, venue_id, title, artist, sale_opens_at, created_at) values (${concert}, ${venue}, 'A Night', 'The Many', now(3) - interval 1 hour, now(3))`);
  await run(em, `insert into concert_price values (${concert}, 'R', ${PRICE})`);
  await run(em, `insert into schedule (id, concert_id, starts_at, total_seats, created_at) values (${schedule}, ${concert}, now(3) + interval 30 day, ${seats}, now(3))`);
  await run(
    em,
    `insert into seat (schedule_id, number, id, section, row_name, grade, price, status)
     select ${schedule}, seq, ${idSql('seat', `${n} * 100000 + seq`)}, 'Floor', (seq - 1) div 10 + 1, 'R', ${PRICE}, 'AVAILABLE' from seq_1_to_${seats}`,
  );
  if (admitted === 0) return;
  await run(
    em,
    `insert into queue_pass (concert_id, user_id, place, admitted_at, expires_at) select ${concert}, ${idSql('user', 'seq')}, seq, now(3), now(3) + interval 1 hour from seq_1_to_${admitted}`,
  );
}
