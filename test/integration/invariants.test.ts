import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { checkInvariants, findViolations, inSnapshot, reportOf, type Finding } from '../../src/database/check-invariants.js';
import { checkPasses } from '../../src/database/check-passes.js';
import { SAFETY, SETTLED, type InvariantName } from '../../src/database/invariants.js';
import { queuesNow } from '../../src/redis/check-queues.js';
import { keys } from '../../src/redis/keys.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { only, saleOf } from '../support/sale.js';

const PRICE = 10_000;
const EVERYTHING = { seatsPerUserMax: 3, holdTtlMs: 300_000, settled: true };
const names = (): InvariantName[] => [...Object.keys(SAFETY), ...Object.keys(SETTLED)] as InvariantName[];

let frontrow: Frontrow;
let concert: BuiltConcert;
/** By what became of their reservation, each of two seats: held is 1, 2; confirmed 3, 4; refunded 5, 6; cancelled 7, 8. */
let buyers: Record<'held' | 'confirmed' | 'refunded' | 'cancelled', AdmittedBuyer>;
let reservations: Record<keyof typeof buyers, string>;

beforeAll(async () => {
  frontrow = await startFrontrow();
  const sale = saleOf(frontrow);
  concert = await frontrow.build.concert({ seats: 12, price: PRICE });
  const [held, confirmed, refunded, cancelled] = await frontrow.build.admit(concert.id, await frontrow.build.buyers(4, { balance: 50_000 }));
  buyers = { held: held!, confirmed: confirmed!, refunded: refunded!, cancelled: cancelled! };
  const ids: string[] = [];
  for (const [index, buyer] of Object.values(buyers).entries()) ids.push((await sale.hold(buyer, concert.scheduleId, [2 * index + 1, 2 * index + 2])).id);
  reservations = { held: ids[0]!, confirmed: ids[1]!, refunded: ids[2]!, cancelled: ids[3]! };
  await sale.pay(confirmed!, reservations.confirmed);
  const { id: paymentId } = only(await sale.pay(refunded!, reservations.refunded), 'Payment');
  await sale.refund(refunded!, paymentId);
  await sale.cancel(cancelled!, reservations.cancelled);
  // What the database itself would refuse must be written too.
  await frontrow.app.orm.em.getConnection().execute('alter table reservation_seat drop index reservation_seat_live_unique');
});
afterAll(() => frontrow.stop());

/** What one violation writes, statement by statement, and which other invariants cannot but break with it. */
interface Violation {
  write: string[];
  also?: InvariantName[];
}
const seat = (number: number, change: string): string => `update seat set ${change} where schedule_id = '${concert.scheduleId}' and number = ${number}`;
const reservation = (whose: keyof typeof buyers, change: string): string => `update reservation set ${change} where id = '${reservations[whose]}'`;
const captured = (whose: keyof typeof buyers, change: string): string => `update reservation_seat set ${change} where reservation_id = '${reservations[whose]}'`;
const ofUser = (table: string, whose: keyof typeof buyers, change: string): string => `update ${table} set ${change} where user_id = '${buyers[whose].id}'`;
const FREE = "status = 'AVAILABLE', reservation_id = null, held_until = null";
const LONG_AGO = 'sysdate(3) - interval 20 second';
const told = (type: string, reservationId: string): string =>
  `insert into outbox_event (event_id, type, user_id, reservation_id, payload, occurred_at) values (uuid(), '${type}', uuid(), ${reservationId}, '{"chargeId":"none"}', sysdate(3))`;
const delivery = (state: string, attempts: number, status: string): string =>
  `insert into webhook_delivery (id, webhook_id, event_id, event_type, order_key, sequence, body, state, attempts, next_at, last_status, created_at)
   values (uuid(), uuid(), uuid(), 'CHARGE_MADE', 'key', 1, '{}', '${state}', ${attempts}, sysdate(3), ${status}, sysdate(3))`;

/** The seats of `held` in a second hold, by somebody else. */
function secondHold(): string[] {
  const id = uuid();
  return [
    `insert into reservation select '${id}', uuid(), concert_id, schedule_id, status, seat_count, total_price, expires_at, created_at, updated_at
     from reservation where id = '${reservations.held}'`,
    `insert into reservation_seat select '${id}', number, seat_id, live_seat_id, grade, price from reservation_seat where reservation_id = '${reservations.held}'`,
  ];
}

const VIOLATIONS: Record<InvariantName, () => Violation[]> = {
  'seat-sold-once': () => [{ write: secondHold(), also: ['reserved-is-held', 'seat-one-at-a-time', 'change-is-told'] }],
  'live-while-reserved': () => [{ write: [captured('held', 'live_seat_id = null')] }, { write: [captured('cancelled', 'live_seat_id = seat_id')] }],
  'live-seat-is-own': () => [{ write: [captured('held', 'live_seat_id = uuid()')] }],
  'sold-is-confirmed': () => [
    { write: [seat(12, "status = 'SOLD'")] },
    { write: [seat(12, `status = 'SOLD', reservation_id = '${reservations.confirmed}'`)] },
    { write: [seat(7, `status = 'SOLD', reservation_id = '${reservations.cancelled}'`)] },
  ],
  'confirmed-is-sold': () => [{ write: [seat(3, FREE)] }, { write: [`delete from seat where schedule_id = '${concert.scheduleId}' and number = 3`], also: ['seats-of-date'] }],
  'held-is-reserved': () => [{ write: [seat(12, "status = 'HELD', reservation_id = uuid(), held_until = sysdate(3)")] }, { write: [seat(12, "status = 'HELD'")] }],
  'reserved-is-held': () => [{ write: [seat(1, FREE)] }, { write: [seat(1, "status = 'SOLD', held_until = null")], also: ['sold-is-confirmed'] }],
  'available-is-free': () => [{ write: [seat(12, 'held_until = sysdate(3)')] }, { write: [seat(12, 'reservation_id = uuid()')] }],
  'held-until-expiry': () => [
    { write: [seat(1, 'held_until = held_until + interval 1000 microsecond')] },
    { write: [seat(1, 'held_until = null')] },
    { write: [seat(3, 'held_until = sysdate(3)')] },
  ],
  'seats-of-date': () => [
    { write: [`delete from seat where schedule_id = '${concert.scheduleId}' and number = 12`] },
    { write: [`update schedule set total_seats = 0, deleted_at = sysdate(3) where id = '${concert.scheduleId}'`], also: ['cancelled-date-is-closed'] },
  ],
  'seat-limit': () => [
    { write: [reservation('held', `user_id = '${buyers.confirmed.id}'`)] },
    // Over long ago, but for a while there were four.
    { write: [reservation('held', `user_id = '${buyers.cancelled.id}'`), reservation('cancelled', 'updated_at = updated_at + interval 1 second')] },
  ],
  'seat-one-at-a-time': () => [
    // Seats 7 and 8 were given back; here somebody had them before that.
    {
      write: [
        reservation('held', `created_at = (select created_at from (select * from reservation) c where c.id = '${reservations.cancelled}')`),
        `update reservation_seat r join reservation_seat c on c.reservation_id = '${reservations.cancelled}' and c.number = 7
         set r.seat_id = c.seat_id, r.number = 7, r.live_seat_id = c.seat_id where r.reservation_id = '${reservations.held}' and r.number = 1`,
        seat(1, FREE),
        `update seat s join reservation r on r.id = '${reservations.held}' set s.status = 'HELD', s.reservation_id = r.id, s.held_until = r.expires_at where s.schedule_id = '${concert.scheduleId}' and s.number = 7`,
      ],
    },
  ],
  'hold-within-ttl': () => [
    { write: [reservation('held', 'expires_at = expires_at + interval 1000 microsecond'), 'update seat join reservation r on r.id = seat.reservation_id set held_until = expires_at where held_until is not null'] },
  ],
  'expired-in-time': () => [
    { write: [reservation('cancelled', "status = 'EXPIRED'"), `update outbox_event set type = 'RESERVATION_EXPIRED' where type = 'RESERVATION_CANCELLED'`] },
    { write: [reservation('cancelled', 'updated_at = expires_at')] },
  ],
  'cancelled-date-is-closed': () => [
    { write: [`update schedule set cancelled_at = (select min(created_at) - interval 1 second from reservation) where id = '${concert.scheduleId}'`] },
    { write: [`update schedule set cancelled_at = (select max(created_at) from reservation) where id = '${concert.scheduleId}'`, `update payment set paid_at = paid_at + interval 1 second where user_id = '${buyers.confirmed.id}'`] },
  ],
  'reservation-seat-count': () => [{ write: [reservation('held', 'seat_count = 3')] }, { write: [`delete from reservation_seat where reservation_id = '${reservations.cancelled}'`], also: ['reservation-total'] }],
  'reservation-total': () => [{ write: [reservation('held', 'total_price = total_price + 1')] }, { write: [captured('confirmed', 'price = price - 1')] }],
  'balance-is-ledger': () => [{ write: [ofUser('wallet', 'held', 'balance = balance + 1')] }, { write: [`delete from wallet where user_id = '${buyers.held.id}'`] }],
  'ledger-adds-up': () => [{ write: [ofUser('ledger_entry', 'held', 'balance_after = balance_after + 1'), ofUser('charge', 'held', 'balance = balance + 1')] }],
  'never-negative': () => [
    { write: [ofUser('ledger_entry', 'held', 'amount = -1, balance_after = -1'), ofUser('charge', 'held', 'amount = -1, balance = -1'), ofUser('wallet', 'held', 'balance = -1')] },
    { write: [ofUser('wallet', 'held', 'balance = -1')], also: ['balance-is-ledger'] },
  ],
  'ledger-has-source': () => [
    { write: [ofUser('charge', 'held', 'amount = amount + 1')] },
    { write: [ofUser('payment', 'confirmed', 'balance = balance + 1')] },
    { write: [`insert into ledger_entry (user_id, kind, amount, balance_after, source_id, created_at) values ('${buyers.held.id}', 'REFUND', 0, 50000, uuid(), sysdate(3))`] },
  ],
  'charge-in-ledger': () => [{ write: [`insert into charge values (uuid(), '${buyers.held.id}', 'lost', 1, 1, sysdate(3))`] }],
  'payment-in-ledger': () => [
    { write: [`${ofUser('ledger_entry', 'confirmed', 'source_id = uuid()')} and kind = 'PAYMENT'`], also: ['ledger-has-source'] },
    { write: [`${ofUser('ledger_entry', 'refunded', 'source_id = uuid()')} and kind = 'REFUND'`], also: ['ledger-has-source'] },
  ],
  'payment-of-reservation': () => [
    { write: [reservation('confirmed', 'user_id = uuid()')] },
    { write: [reservation('confirmed', 'total_price = total_price + 2'), captured('confirmed', 'price = price + 1')] },
  ],
  'paid-in-time': () => [
    { write: ['update payment p join reservation r on r.id = p.reservation_id set p.paid_at = r.expires_at where p.refunded_at is null'] },
    { write: [ofUser('payment', 'refunded', 'refunded_at = paid_at - interval 1 second')] },
  ],
  'confirmed-is-paid': () => [{ write: [reservation('held', "status = 'CONFIRMED'"), seat(1, "status = 'SOLD', held_until = null"), seat(2, "status = 'SOLD', held_until = null")] }],
  'paid-is-confirmed': () => [{ write: [reservation('confirmed', "status = 'EXPIRED'"), captured('confirmed', 'live_seat_id = null'), seat(3, FREE), seat(4, FREE)], also: ['change-is-told', 'expired-in-time'] }],
  'refunded-both': () => [
    { write: [ofUser('payment', 'confirmed', 'refunded_at = sysdate(3)')] },
    { write: [ofUser('payment', 'refunded', 'refunded_at = null')] },
    { write: [reservation('cancelled', "status = 'REFUNDED'")], also: ['change-is-told', 'told-is-true'] },
    { write: [reservation('refunded', "status = 'CANCELLED'")], also: ['change-is-told'] },
  ],
  'pass-ending': () => [{ write: [ofUser('queue_pass', 'held', "ended_by = 'LEFT'")] }, { write: [ofUser('queue_pass', 'confirmed', 'ended_by = null')] }],
  'active-max': () => [
    { write: [ofUser('queue_pass', 'held', 'active_count = 3, active_max = 2')] },
    { write: [ofUser('queue_pass', 'held', 'active_count = 3')] },
  ],
  'place-of-epoch': () => [
    { write: [ofUser('queue_pass', 'held', 'place = 1099511627776')] },
    { write: [`update queue_pass p join queue_pass o on o.user_id = '${buyers.confirmed.id}' set p.place = o.place where p.user_id = '${buyers.held.id}'`] },
  ],
  'change-is-told': () => [
    { write: ["delete from outbox_event where type = 'PAYMENT_MADE' limit 1"] },
    { write: ["delete from outbox_event where type = 'RESERVATION_CANCELLED'"] },
    { write: ["delete from outbox_event where type = 'PAYMENT_REFUNDED'"] },
    { write: [`delete from outbox_event where type = 'RESERVATION_HELD' and reservation_id = '${reservations.held}'`] },
  ],
  'told-is-true': () => [
    { write: [told('PAYMENT_MADE', `'${reservations.held}'`)] },
    { write: [told('RESERVATION_HELD', 'uuid()')] },
    { write: [told('RESERVATION_EXPIRED', `'${reservations.held}'`)] },
    { write: [told('CHARGE_MADE', 'null')] },
  ],
  'told-once': () => [{ write: [told('RESERVATION_HELD', `'${reservations.held}'`)] }],
  'delivery-state': () => [{ write: [delivery('DELIVERED', 1, '500')] }, { write: [delivery('DELIVERED', 1, 'null')] }, { write: [delivery('DEAD', 0, '500')] }],
  'holds-end': () => [{ write: [reservation('held', `expires_at = ${LONG_AGO}, created_at = ${LONG_AGO} - interval 1 minute`), `update seat join reservation r on r.id = seat.reservation_id set held_until = expires_at where r.status = 'HELD'`] }],
  'passes-end': () => [{ write: [ofUser('queue_pass', 'held', `expires_at = ${LONG_AGO}`)] }],
  'outbox-flows': () => [{ write: [`update outbox_event set occurred_at = ${LONG_AGO} limit 1`] }],
  'one-open-pass': () => [
    { write: [`insert into queue_pass select concert_id, user_id, place + 1000, admitted_at, expires_at, null, null, null, null, null from queue_pass where user_id = '${buyers.held.id}'`] },
  ],
};

class Undone extends Error {}

/** What is found with the violation written, before it is undone. */
async function foundWith(write: readonly string[]): Promise<Finding[]> {
  let found: Finding[] = [];
  const work = async (em: EntityManager): Promise<void> => {
    for (const statement of write) await em.execute(statement, [], 'run');
    found = await findViolations((sql, params) => em.execute(sql, params), EVERYTHING);
    throw new Undone();
  };
  await expect(frontrow.app.transactions.run(work)).rejects.toThrow(Undone);
  return found;
}
const violated = (findings: readonly Finding[]): string[] => findings.filter(({ count }) => count > 0).map(({ name }) => name);

test('after a sale every invariant is true, and each was looked at', async () => {
  const findings = await checkInvariants(frontrow.app.orm, EVERYTHING);
  expect(findings.map(({ name }) => name)).toEqual(names());
  expect(findings.filter(({ count }) => count > 0)).toEqual([]);
});

test.each(names())('what breaks %s is found, and nothing else is', async (name) => {
  const violations = VIOLATIONS[name]();
  expect(violations.length).toBeGreaterThan(0);
  for (const { write, also = [] } of violations) {
    const findings = await foundWith(write);
    expect({ write, violated: violated(findings).sort() }).toEqual({ write, violated: [name, ...also].sort() });
    expect(findings.find((finding) => finding.name === name)!.rows.length).toBeGreaterThan(0);
  }
});

test('a seat that an admin deleted after its hold ran out breaks nothing but the number of seats told by hand', async () => {
  const over = [reservation('held', 'expires_at = sysdate(3), created_at = sysdate(3) - interval 1 minute'), `update seat join reservation r on r.id = seat.reservation_id set held_until = expires_at where r.status = 'HELD'`];
  expect(violated(await foundWith([...over, `delete from seat where schedule_id = '${concert.scheduleId}' and number = 1`]))).toEqual(['seats-of-date']);
});

test('all of them are counted and the first twenty shown', async () => {
  const lost = Array.from({ length: 25 }, (_, index) => `('${uuid()}', '${buyers.held.id}', 'lost ${index}', 1, 1, sysdate(3))`);
  const findings = await foundWith([`insert into charge values ${lost.join(', ')}`]);
  const lines = reportOf(findings);
  const begin = lines.findIndex((line) => line.startsWith('VIOLATED'));
  expect(lines[begin]).toMatch(/^VIOLATED {2}charge-in-ledger +not true: each charge has its ledger row; rows: 25$/);
  expect(lines[begin + 1]).toContain(`"user_id":"${buyers.held.id}"`);
  expect(lines[begin + 21]!.trim()).toBe('… 5 more');
  expect(lines.filter((line) => line.startsWith('ok '))).toHaveLength(names().length - 1);
});

test('all answers are of one instant, nothing can be written meanwhile, and the connection goes back as it was', async () => {
  const { orm } = frontrow.app;
  const balance = 'select balance from wallet where user_id = ?';
  const change = (by: number) => orm.em.getConnection().execute('update wallet set balance = balance + ? where user_id = ?', [by, buyers.held.id]);
  await inSnapshot(orm, async (query) => {
    await change(1);
    expect(await query(balance, [buyers.held.id])).toEqual([{ balance: 50_000 }]);
    await change(-1);
    await expect(query('delete from charge')).rejects.toThrow(/read.?only/i);
  });
  const connections = await Promise.all(Array.from({ length: 10 }, () => orm.em.fork().execute<{ isolation: string }[]>('select @@tx_isolation as isolation')));
  expect(new Set(connections.flat().map(({ isolation }) => isolation))).toEqual(new Set(['READ-COMMITTED']));
});

test('of the queues in Redis: a user in both sets, a pass without a row and more passes than might be are found, each by itself', async () => {
  const { redis, orm } = frontrow.app;
  const violatedNow = async () => violated(await checkPasses(orm, await queuesNow(redis)));
  const [waiting, active] = [keys.queueWaiting(concert.id), keys.queueActive(concert.id)];
  expect(await violatedNow()).toEqual([]);
  await redis.zadd(waiting, 1, buyers.held.id);
  expect(await violatedNow()).toEqual(['queue-one-place']);
  await redis.zrem(waiting, buyers.held.id);
  await redis.zadd(active, Date.now() + 60_000, 'nobody known');
  expect(await violatedNow()).toEqual(['queue-pass-written']);
  await redis.zrem(active, 'nobody known');
  await orm.em.getConnection().execute('update queue_pass set active_count = 1, active_max = 1');
  expect(await violatedNow()).toEqual(['queue-active-max']);
  await orm.em.getConnection().execute('update queue_pass set active_count = null, active_max = null');
});

test('a test file that leaves an untrue balance behind fails, with the row', async () => {
  const change = (by: number) => frontrow.app.orm.em.getConnection().execute('update wallet set balance = balance + ? where user_id = ?', [by, buyers.held.id]);
  await change(1);
  await expect(frontrow.checkInvariants()).rejects.toThrow(new RegExp(`balance-is-ledger(.|\\n)*${buyers.held.id}`));
  await change(-1);
  await frontrow.checkInvariants();
});
