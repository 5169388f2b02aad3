import { databaseNow } from '../../src/database/clock.js';
import { ReservationSeat } from '../../src/database/entities/reservation-seat.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { keys } from '../../src/redis/keys.js';
import { topics } from '../../src/redis/pubsub.js';
import * as operations from '../graphql/operations.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { codeOf, websocketClient } from '../support/client.js';
import { collect } from '../support/collect.js';
import { eventually, subscribed } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { only, saleOf, type Sale } from '../support/sale.js';
import { STALL_MS } from '../support/timed.js';

const PRICE = 10_000;
const UNKNOWN_ID = '00000000-0000-7000-8000-000000000000';
const MINUTE_MS = 60_000;

let frontrow: Frontrow;
let sale: Sale;
let concert: BuiltConcert;
let nextSeat = 1;

beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_PASS_ATTEMPTS_MAX: '1000' } });
  sale = saleOf(frontrow);
  concert = await frontrow.build.concert({ seats: 200, dates: 2, price: PRICE });
});
afterAll(() => frontrow.stop());

const execute = (sql: string, parameters: unknown[] = []) => frontrow.app.orm.em.getConnection().execute(sql, parameters);
const fork = () => frontrow.app.transactions.fork();
const seats = (count: number): number[] => Array.from({ length: count }, () => nextSeat++);
const admitted = () => frontrow.build.admittedBuyer(concert.id, { balance: 10 * PRICE });
const reserving = (buyer: AdmittedBuyer, scheduleId: string, seatNumbers: unknown) =>
  frontrow.client().raw('mutation ($input: ReserveInput!) { reserve(input: $input) { __typename } }', { input: { scheduleId, seatNumbers } }, buyer);

describe('reserve', () => {
  test('V1, V4, V5: holds the seats for about five minutes with price and grade as they are now', async () => {
    const buyer = await admitted();
    const numbers = seats(3);
    const hold = await sale.hold(buyer, concert.scheduleId, [...numbers].reverse());
    expect(hold).toMatchObject({ status: 'HELD', totalPrice: 3 * PRICE, schedule: { id: concert.scheduleId }, payment: null });
    expect(hold.seats.map(({ number, grade, price }) => [number, grade, price])).toEqual(numbers.map((number) => [number, 'R', PRICE]));
    expect(Date.parse(hold.expiresAt) - Date.parse(hold.createdAt)).toBe(5 * MINUTE_MS);

    await execute(`update seat set price = 1, grade = 'VIP' where schedule_id = ? and number in (?)`, [concert.scheduleId, numbers]);
    const later = await sale.reservation(buyer, hold.id);
    expect(later).toMatchObject({ totalPrice: 3 * PRICE, seats: hold.seats });
    expect(only(await sale.pay(buyer, hold.id), 'Payment').amount).toBe(3 * PRICE);
  });

  test('V1: nobody else can take held seats, and the refusal names those that are taken', async () => {
    const [first, second] = [await admitted(), await admitted()];
    const [one, two, three] = seats(3);
    await sale.hold(first, concert.scheduleId, [two!]);
    const refused = only(await sale.reserve(second, concert.scheduleId, [one!, two!, three!], 1), 'SeatsUnavailable');
    expect(refused.seatNumbers).toEqual([two]);
    await sale.hold(second, concert.scheduleId, [one!, three!], 1);
  });

  test('V1: the same seat number of another date is another seat', async () => {
    const [first, second] = [await admitted(), await admitted()];
    const numbers = seats(1);
    await sale.hold(first, concert.scheduleIds[0]!, numbers);
    await sale.hold(second, concert.scheduleIds[1]!, numbers);
  });

  test('V7: asking for exactly the seats of one’s live hold returns it; any other overlap is SeatsUnavailable', async () => {
    const buyer = await admitted();
    const [one, two, three] = seats(3);
    const hold = await sale.hold(buyer, concert.scheduleId, [one!, two!]);
    expect(await sale.hold(buyer, concert.scheduleId, [two!, one!], 1)).toEqual(hold);
    expect(only(await sale.reserve(buyer, concert.scheduleId, [one!]), 'SeatsUnavailable').seatNumbers).toEqual([one]);
    expect(only(await sale.reserve(buyer, concert.scheduleId, [two!, three!]), 'SeatsUnavailable').seatNumbers).toEqual([two]);
    expect(only(await sale.reserve(buyer, concert.scheduleId, [one!, two!, three!]), 'SeatsUnavailable').seatNumbers).toEqual([one, two]);
    expect(await sale.hold(buyer, concert.scheduleId, [one!, two!])).toEqual(hold);
    await frontrow.app.redis.del(keys.seatGate(await frontrow.app.redisRun.current(), concert.id, concert.scheduleId));
    expect(await sale.hold(buyer, concert.scheduleId, [one!, two!])).toEqual(hold);
    only(await sale.pay(buyer, hold.id), 'Payment');
    const again = await frontrow.build.admit(concert.id, [buyer]);
    expect(only(await sale.reserve(again[0]!, concert.scheduleId, [one!, two!]), 'SeatsUnavailable').seatNumbers).toEqual([one, two]);
  });

  test('V4: held and owned seats of all dates of a concert count against the limit; those given back do not', async () => {
    const buyer = await admitted();
    expect(only(await sale.reserve(buyer, concert.scheduleId, seats(5)), 'SeatLimitExceeded').limit).toBe(4);
    const owned = await sale.hold(buyer, concert.scheduleIds[0]!, seats(2));
    only(await sale.pay(buyer, owned.id), 'Payment');
    const [again] = await frontrow.build.admit(concert.id, [buyer]);
    const held = await sale.hold(again!, concert.scheduleIds[1]!, seats(2));
    const beyond = seats(1);
    only(await sale.reserve(again!, concert.scheduleIds[0]!, beyond), 'SeatLimitExceeded');
    const other = await admitted();
    await sale.hold(other, concert.scheduleIds[0]!, beyond);
    only(await sale.cancel(buyer, held.id), 'Reservation');
    await sale.hold(again!, concert.scheduleIds[0]!, seats(2));
    const elsewhere = await frontrow.build.concert({ seats: 4 });
    const [there] = await frontrow.build.admit(elsewhere.id, [buyer]);
    await sale.hold(there!, elsewhere.scheduleId, [1, 2, 3, 4]);
  });

  test('V1: before the opening, after the closing and once the date has begun nothing is sold', async () => {
    const moved = await frontrow.build.concert({ seats: 4, price: PRICE });
    const buyer = await frontrow.build.admittedBuyer(moved.id);
    const opensAt = new Date(Date.now() + MINUTE_MS);
    await execute('update concert set sale_opens_at = ? where id = ?', [opensAt.toISOString().replace('Z', ''), moved.id]);
    expect(only(await sale.reserve(buyer, moved.scheduleId, [1]), 'SaleNotOpen').opensAt).toBe(opensAt.toISOString());

    const closedAt = new Date(Date.now() - MINUTE_MS);
    await execute('update concert set sale_opens_at = sysdate(3) - interval 1 hour, sale_closes_at = ? where id = ?', [closedAt.toISOString().replace('Z', ''), moved.id]);
    expect(only(await sale.reserve(buyer, moved.scheduleId, [1]), 'SaleClosed').closedAt).toBe(closedAt.toISOString());

    await execute('update concert set sale_closes_at = null where id = ?', [moved.id]);
    const hold = await sale.hold(buyer, moved.scheduleId, [1]);
    await execute('update schedule set starts_at = sysdate(3) where id = ?', [moved.scheduleId]);
    only(await sale.reserve(buyer, moved.scheduleId, [2]), 'SaleClosed');
    expect(await sale.hold(buyer, moved.scheduleId, [1])).toEqual(hold);
    expect(await fork().count(Seat, { scheduleId: moved.scheduleId, status: 'AVAILABLE' })).toBe(3);
  });

  test('V1: a hold ends with the start of its date at the latest, and its seats with it', async () => {
    const startsAt = new Date(Date.now() + MINUTE_MS);
    const soon = await frontrow.build.concert({ seats: 1, price: PRICE, startsAt });
    const buyer = await frontrow.build.admittedBuyer(soon.id);
    const hold = await sale.hold(buyer, soon.scheduleId, [1]);
    expect(hold.expiresAt).toBe(startsAt.toISOString());
    expect(await sale.hold(buyer, soon.scheduleId, [1], 1)).toEqual(hold);
    expect((await fork().findOneOrFail(Seat, { scheduleId: soon.scheduleId, number: 1 })).heldUntil).toEqual(startsAt);
  });

  test('V1: a reserve that had to wait for its seat until the date began is refused', async () => {
    const startsAt = new Date(Date.now() + STALL_MS + 500);
    const soon = await frontrow.build.concert({ seats: 1, price: PRICE, startsAt });
    const buyer = await frontrow.build.admittedBuyer(soon.id);
    const answer = await frontrow.app.transactions.run(async (em) => {
      await em.execute('select number from seat where schedule_id = ? for update', [soon.scheduleId]);
      const running = sale.reserve(buyer, soon.scheduleId, [1]);
      const gate = keys.seatGate(await frontrow.app.redisRun.current(), soon.id, soon.scheduleId);
      await eventually(() => frontrow.app.redis.hexists(gate, '1'), 'the reserve to have passed the gate');
      expect((await databaseNow(em)) < startsAt).toBe(true);
      await eventually(async () => (await databaseNow(em)) > startsAt, 'the start of the date');
      return { running };
    });
    expect(only(await answer.running, 'SaleClosed').closedAt).toBe(startsAt.toISOString());
    expect(await fork().count(Seat, { scheduleId: soon.scheduleId, status: 'AVAILABLE' })).toBe(1);
  });

  test('C2, V5: a hold is paid at the price that was shown when it was taken, whatever setPrices says since', async () => {
    const { concerts } = frontrow.app.services;
    const priced = await frontrow.build.concert({ seats: 2, price: PRICE });
    const [first, second] = await frontrow.build.admit(priced.id, await frontrow.build.buyers(2, { balance: 5 * PRICE }));
    const hold = await sale.hold(first!, priced.scheduleId, [1]);
    await concerts.setPrices(priced.id, [{ grade: 'R', amount: 3 * PRICE }]);
    expect((await sale.seats(second!, priced.scheduleId)).map(({ number, price }) => [number, price])).toEqual([[1, PRICE], [2, 3 * PRICE]]);
    expect(only(await sale.pay(first!, hold.id), 'Payment')).toMatchObject({ amount: PRICE, balance: 4 * PRICE });
    expect(await sale.balanceOf(first!.id)).toBe(4 * PRICE);
    const later = await sale.hold(second!, priced.scheduleId, [2]);
    expect(only(await sale.pay(second!, later.id), 'Payment')).toMatchObject({ amount: 3 * PRICE, balance: 2 * PRICE });
  });

  test('bad seat numbers and ids name their field and hold nothing', async () => {
    const small = await frontrow.build.concert({ seats: 10 });
    const buyer = await frontrow.build.admittedBuyer(small.id);
    await execute('delete from seat where schedule_id = ? and number = 7', [small.scheduleId]);
    await execute('update schedule set total_seats = 9 where id = ?', [small.scheduleId]);
    const everySeat = Array.from({ length: 10_000 }, (_, index) => index + 1);
    for (const numbers of [[], [1, 1], [0], [-1], [11], [1, 2_000_000_000], [7], [6, 7], everySeat]) {
      expect((await reserving(buyer, small.scheduleId, numbers)).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'seatNumbers' });
    }
    for (const numbers of [[1.5], ['1'], [null], null, [3_000_000_000]]) expect(codeOf(await reserving(buyer, small.scheduleId, numbers))).toBe('BAD_USER_INPUT');
    for (const id of ['', 'x', `${small.scheduleId}0`]) expect((await reserving(buyer, id, [1])).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'scheduleId' });
    for (const id of [UNKNOWN_ID, small.id]) expect(codeOf(await reserving(buyer, id, [1]))).toBe('NOT_FOUND');
    expect(await fork().count(Seat, { scheduleId: small.scheduleId, status: 'AVAILABLE' })).toBe(9);
    await sale.hold(buyer, small.scheduleId, [6, 8]);
  });

  test('V6: a refusal by the database is written back, so that the next loser is turned away at the gate', async () => {
    const [first, second] = [await admitted(), await admitted()];
    const numbers = seats(1);
    const hold = await sale.hold(first, concert.scheduleId, numbers);
    const gate = keys.seatGate(await frontrow.app.redisRun.current(), concert.id, concert.scheduleId);
    await frontrow.app.redis.del(gate);
    only(await sale.reserve(second, concert.scheduleId, numbers), 'SeatsUnavailable');
    expect(await frontrow.app.redis.hget(gate, String(numbers[0]))).toMatch(new RegExp(`^${first.id}\\|${hold.id}\\|\\d+$`));
  });

  test('V3: a database connection that drops in the middle leaves nothing behind, and asking again succeeds', async () => {
    const [buyer, other] = [await admitted(), await admitted()];
    const [one, two] = seats(2);
    const input = { scheduleId: concert.scheduleId, seatNumbers: [one!, two!] };
    const answer = await frontrow.app.transactions.run(async (em) => {
      await em.execute('select number from seat where schedule_id = ? and number = ? for update', [concert.scheduleId, two]);
      const running = frontrow.client().run(operations.ReserveDocument, { input }, buyer);
      const waiting = await eventually(async () => {
        const [row] = await em.execute<{ id: number }[]>(
          `select p.id from information_schema.processlist p where p.db = database() and p.info like '%for update%' and p.id <> connection_id() and p.time_ms > 20`,
        );
        return row;
      }, 'the reserve to wait for the seat');
      await em.execute(`kill ${Number(waiting.id)}`);
      return running;
    });
    expect(codeOf(answer)).toBe('SERVICE_UNAVAILABLE');
    expect(await fork().count(Seat, { scheduleId: concert.scheduleId, number: { $in: [one!, two!] }, status: 'AVAILABLE' })).toBe(2);
    const hold = await sale.hold(buyer, concert.scheduleId, [one!, two!], 1);
    expect(only(await sale.reserve(other, concert.scheduleId, [two!]), 'SeatsUnavailable').seatNumbers).toEqual([two]);
    expect((await sale.me(buyer)).reservations.nodes.map(({ id }) => id)).toEqual([hold.id]);
  });

  test('V3: a gate entry of a process that died before its commit ends by itself', async () => {
    const [dead, buyer] = [await admitted(), await admitted()];
    const [number] = seats(1);
    const [seconds] = (await frontrow.app.redis.time()) as unknown as [string];
    const gate = keys.seatGate(await frontrow.app.redisRun.current(), concert.id, concert.scheduleId);
    await frontrow.app.redis.hset(gate, String(number), `${dead.id}|${UNKNOWN_ID}|${Number(seconds) * 1000 + 1000 + STALL_MS}`);
    only(await sale.reserve(buyer, concert.scheduleId, [number!]), 'SeatsUnavailable');
    await eventually(async () => (await sale.reserve(buyer, concert.scheduleId, [number!])).__typename === 'Reservation', 'the end of the entry');
  });
});

describe('cancelReservation', () => {
  test('V7: gives the seats back at once, whoever asks next; cancelling again returns the same reservation', async () => {
    const [first, second] = [await admitted(), await admitted()];
    const numbers = seats(2);
    const hold = await sale.hold(first, concert.scheduleId, numbers);
    const changes = collect(websocketClient(frontrow.instances[1]!.url!, first), operations.WatchReservationsDocument, {});
    await subscribed(frontrow, topics.reservationChanged(first.id));
    const cancelled = only(await sale.cancel(first, hold.id, 1), 'Reservation');
    expect(cancelled).toMatchObject({ id: hold.id, status: 'CANCELLED', seats: hold.seats, totalPrice: 2 * PRICE });
    await changes.until(({ reservationChanged }) => reservationChanged.id === hold.id && reservationChanged.status === 'CANCELLED');
    changes.stop();
    const next = await sale.hold(second, concert.scheduleId, numbers);
    expect(only(await sale.cancel(first, hold.id), 'Reservation')).toEqual(cancelled);
    expect((await sale.reservation(second, next.id))?.status).toBe('HELD');
    expect((await fork().find(ReservationSeat, { reservationId: hold.id })).map(({ liveSeatId }) => liveSeatId)).toEqual([null, null]);
    only(await sale.reserve(first, concert.scheduleId, numbers), 'SeatsUnavailable');
  });

  test('V7: what is paid cannot be cancelled', async () => {
    const buyer = await admitted();
    const hold = await sale.hold(buyer, concert.scheduleId, seats(1));
    only(await sale.pay(buyer, hold.id), 'Payment');
    expect(await sale.cancel(buyer, hold.id)).toMatchObject({ __typename: 'ReservationNotCancellable', refusedStatus: 'CONFIRMED' });
  });

  test('U3: what is unknown, someone else’s or no id at all cannot be cancelled or read', async () => {
    const [owner, stranger] = [await admitted(), await admitted()];
    const hold = await sale.hold(owner, concert.scheduleId, seats(1));
    const cancelling = (id: string) => frontrow.client().run(operations.CancelReservationDocument, { id }, stranger);
    const [foreign, unknown] = [await cancelling(hold.id), await cancelling(UNKNOWN_ID)];
    expect(codeOf(foreign)).toBe('NOT_FOUND');
    expect(foreign.errors?.[0]?.message).toBe(unknown.errors?.[0]?.message);
    expect((await cancelling('x')).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'id' });
    expect(await sale.reservation(stranger, hold.id)).toBeNull();
    expect(await sale.reservation(stranger, UNKNOWN_ID)).toBeNull();
    expect((await sale.reservation(owner, hold.id))?.status).toBe('HELD');
  });
});

test('P6: my reservations come newest first, page by page, and only mine', async () => {
  const buyer = await admitted();
  const ids: string[] = [];
  for (let count = 0; count < 4; count += 1) ids.unshift((await sale.hold(buyer, concert.scheduleId, seats(1))).id);
  const first = (await sale.me(buyer, { first: 3 })).reservations;
  expect(first.nodes.map(({ id }) => id)).toEqual(ids.slice(0, 3));
  expect(first.pageInfo.hasNextPage).toBe(true);
  const second = (await sale.me(buyer, { first: 3, reservationsAfter: first.pageInfo.endCursor ?? null })).reservations;
  expect(second.nodes.map(({ id }) => id)).toEqual(ids.slice(3));
  expect(second.pageInfo.hasNextPage).toBe(false);
  for (const size of [0, -1, 101, 1_000_000]) {
    const answer = await frontrow.client().raw('query ($first: Int!) { me { reservations(first: $first) { nodes { id } } } }', { first: size }, buyer);
    expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'first' });
  }
});

test('reservationChanged tells only its owner, each event as it is at that event or later', async () => {
  const [owner, stranger] = [await admitted(), await admitted()];
  const [mine, theirs] = [owner, stranger].map((buyer) => collect(websocketClient(frontrow.instances[1]!.url!, buyer), operations.WatchReservationsDocument, {}));
  await subscribed(frontrow, topics.reservationChanged(owner.id));
  await subscribed(frontrow, topics.reservationChanged(stranger.id));
  const hold = await sale.hold(owner, concert.scheduleId, seats(2));
  await mine!.until(({ reservationChanged }) => reservationChanged.status === 'HELD' && reservationChanged.payment === null);
  const payment = only(await sale.pay(owner, hold.id), 'Payment');
  await mine!.until(({ reservationChanged }) => reservationChanged.payment?.status === 'PAID');
  only(await sale.refund(owner, payment.id), 'Payment');
  const last = await mine!.until(({ reservationChanged }) => reservationChanged.status === 'REFUNDED');
  expect(last.reservationChanged).toMatchObject({ id: hold.id, payment: { id: payment.id, status: 'REFUNDED' }, seats: hold.seats });
  expect(mine!.errors).toEqual([]);
  expect(theirs!.messages).toEqual([]);
  mine!.stop();
  theirs!.stop();
  await eventually(async () => {
    const [, listeners] = (await frontrow.app.redis.pubsub('NUMSUB', topics.reservationChanged(owner.id))) as [string, number];
    return Number(listeners) === 0;
  }, 'the end of the subscription');
});
