import { ConcertPrice } from '../../src/database/entities/concert-price.entity.js';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { SEAT_IS_AVAILABLE } from '../../src/database/repositories/seat.repository.js';
import { SeatsNotRemovable } from '../../src/domain/refusals.js';
import type { BuiltConcert } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import type { BrokenOnPurpose } from '../support/invariants.js';
import { saleOf, type Sale } from '../support/sale.js';

const BROKEN: BrokenOnPurpose = {
  invariants: ['confirmed-is-sold', 'reserved-is-held', 'seats-of-date', 'confirmed-is-paid'],
  because: 'the negative controls delete seats that are held, and one payment is only played',
};

let frontrow: Frontrow;
let sale: Sale;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_PASS_ATTEMPTS_MAX: '1000' }, brokenOnPurpose: BROKEN });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

const BUYERS = 50;
const execute = <T extends object[]>(sql: string, params: unknown[] = []) => frontrow.app.transactions.fork().execute<T>(sql, params);
const services = (instance = 1) => frontrow.instances[instance]!.app.services;

/** Every buyer reserves a seat of their own while `work` runs on the other instance. */
async function whileReserving(concert: BuiltConcert, work: () => Promise<unknown>) {
  const buyers = await frontrow.build.admit(concert.id, await frontrow.build.buyers(BUYERS));
  const [results] = await Promise.all([Promise.allSettled(buyers.map((buyer, index) => sale.hold(buyer, concert.scheduleId, [index + 1]))), work()]);
  return results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
}

describe('prices change while 50 buyers reserve', () => {
  const amounts = Array.from({ length: 12 }, (_, index) => 10_000 + index);

  /** Live reservations whose captured price is not the price their seat has kept, or whose total is not the sum of their seats. */
  async function mismatches(concert: BuiltConcert): Promise<number> {
    const [row] = await execute<{ wrong: number }[]>(
      `select count(*) as wrong from reservation r join reservation_seat rs on rs.reservation_id = r.id join seat s on s.id = rs.seat_id
       where r.schedule_id = ? and (rs.price <> s.price or r.total_price <> (select sum(price) from reservation_seat where reservation_id = r.id))`,
      [concert.scheduleId],
    );
    return Number(row!.wrong);
  }

  async function race(reprice: (concert: BuiltConcert, amount: number) => Promise<unknown>): Promise<BuiltConcert> {
    const concert = await frontrow.build.concert({ seats: BUYERS + 10, price: amounts[0]! });
    const held = await whileReserving(concert, async () => {
      for (const amount of amounts) await reprice(concert, amount);
    });
    expect(held).toHaveLength(BUYERS);
    await reprice(concert, 99_000);
    return concert;
  }

  test('V5: each hold keeps a price that was in force when it was taken; what is left has the last price', async () => {
    const concert = await race((one, amount) => services().concerts.setPrices(one.id, [{ grade: 'R', amount }]));
    expect(await mismatches(concert)).toBe(0);
    const em = frontrow.app.transactions.fork();
    const held = await em.find(Seat, { scheduleId: concert.scheduleId, status: 'HELD' });
    expect(held).toHaveLength(BUYERS);
    expect(held.filter(({ price }) => !amounts.includes(price))).toEqual([]);
    expect(await em.count(Seat, { scheduleId: concert.scheduleId, status: 'AVAILABLE', price: 99_000 })).toBe(10);
  });

  test('negative control: prices set without looking at the status leave the captured ones behind', async () => {
    const concert = await race((one, amount) => execute('update seat set price = ? where schedule_id = ?', [amount, one.scheduleId]));
    expect(await mismatches(concert)).toBeGreaterThan(0);
  });
});

describe('seats are removed while 50 buyers reserve them', () => {
  const orphans = async (concert: BuiltConcert): Promise<number> => {
    const [row] = await execute<{ lost: number }[]>(
      'select count(*) as lost from reservation_seat rs join reservation r on r.id = rs.reservation_id left join seat s on s.id = rs.seat_id where r.schedule_id = ? and s.id is null',
      [concert.scheduleId],
    );
    return Number(row!.lost);
  };

  async function race(remove: (concert: BuiltConcert, number: number) => Promise<unknown>) {
    const concert = await frontrow.build.concert({ seats: BUYERS });
    let removed = 0;
    const held = await whileReserving(concert, () =>
      Promise.all(
        Array.from({ length: BUYERS }, async (_, index) => {
          // From the last seat down, so that buyers and admin meet in the middle.
          const outcome = await remove(concert, BUYERS - index).catch((error: unknown) => error);
          if (outcome instanceof Error && !(outcome instanceof SeatsNotRemovable)) throw outcome;
          if (!(outcome instanceof Error)) removed += 1;
        }),
      ),
    );
    return { concert, held: held.length, removed };
  }

  test('C4: a seat is either held or removed, never both', async () => {
    const { concert, held, removed } = await race((one, number) => services().schedules.removeSeats(one.scheduleId, [number]));
    expect(held + removed).toBe(BUYERS);
    expect(await orphans(concert)).toBe(0);
    expect(await frontrow.app.createLoaders().schedule.load(concert.scheduleId)).toMatchObject({ totalSeats: held });
  });

  test('negative control: removal that looks first and deletes later takes a seat from its holder', async () => {
    await frontrow.checkInvariants();
    const concert = await frontrow.build.concert({ seats: BUYERS });
    const buyer = await frontrow.build.admittedBuyer(concert.id);
    const free = await execute<object[]>(`select 1 from seat where schedule_id = ? and number = 1 and ${SEAT_IS_AVAILABLE}`, [concert.scheduleId]);
    await sale.hold(buyer, concert.scheduleId, [1]);
    if (free.length === 1) await execute('delete from seat where schedule_id = ? and number = 1', [concert.scheduleId]);
    expect(await orphans(concert)).toBe(1);
  });
});

describe('a payment that began before the hold ended is still on its way', () => {
  /** A hold that has run out by the clock, with its row locked as a payment does; then the payment's end. */
  async function paidLate(remove: (scheduleId: string) => Promise<unknown>, waits: boolean) {
    const concert = await frontrow.build.concert({ seats: 2 });
    const buyer = await frontrow.build.admittedBuyer(concert.id);
    const { id } = await sale.hold(buyer, concert.scheduleId, [1]);
    const past = new Date(Date.now() - 1000);
    const { transactions } = frontrow.app;
    await transactions.fork().nativeUpdate(Reservation, { id }, { expiresAt: past });
    await transactions.fork().nativeUpdate(Seat, { scheduleId: concert.scheduleId, number: 1 }, { heldUntil: past });
    const outcome = await transactions.run(async (em) => {
      await em.execute('select id from reservation where id = ? for update', [id]);
      const removal = remove(concert.scheduleId).catch((error: unknown) => error);
      if (waits) await eventually(lockWait, 'the removal to wait for the payment');
      else await removal;
      await em.nativeUpdate(Seat, { scheduleId: concert.scheduleId, number: 1 }, { status: 'SOLD', heldUntil: null });
      await em.nativeUpdate(Reservation, { id }, { status: 'CONFIRMED' });
      return { removal };
    });
    return { result: await outcome.removal, sold: await transactions.fork().count(Seat, { scheduleId: concert.scheduleId, status: 'SOLD' }) };
  }

  /** The payment holds the row, so a removal that is in this statement is waiting. */
  async function lockWait(): Promise<boolean> {
    const rows = await execute<object[]>("select 1 from information_schema.processlist where db = database() and info like 'select id from reservation where id in%for update'");
    return rows.length > 0;
  }

  test.each([
    ['removeSeats', (id: string) => services().schedules.removeSeats(id, [1])],
    ['deleteSchedule', (id: string) => services().schedules.delete(id)],
  ])('P1: %s waits for it and is refused, and the seat stays sold', async (_name, remove) => {
    const { result, sold } = await paidLate(remove, true);
    expect(result).toBeInstanceOf(SeatsNotRemovable);
    expect(result).toMatchObject({ seatNumbers: [1] });
    expect(sold).toBe(1);
  });

  test('negative control: without the lock on the reservation the seat is gone when the payment comes', async () => {
    const { sold } = await paidLate((id) => execute(`delete from seat where schedule_id = ? and number = 1 and ${SEAT_IS_AVAILABLE}`, [id]), false);
    expect(sold).toBe(0);
  });
});

test('C3: a date made while prices change has the prices of the list', async () => {
  const { id, scheduleId } = await frontrow.build.concert({ seats: 1 });
  const sections = [{ name: 'Floor', rows: [{ name: '1', grade: 'R', seatCount: 500 }] }];
  const startsAt = new Date(Date.now() + 86_400_000);
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => [
      services(0).schedules.create({ concertId: id, startsAt, sections }),
      services(1).concerts.setPrices(id, [{ grade: 'R', amount: 20_000 + index }]),
    ]).flat(),
  );
  const em = frontrow.app.transactions.fork();
  const { amount } = await em.findOneOrFail(ConcertPrice, { concertId: id, grade: 'R' });
  const [row] = await execute<{ seats: number; same: number }[]>('select count(*) as seats, sum(s.price = ?) as same from seat s join schedule d on d.id = s.schedule_id where d.concert_id = ?', [amount, id]);
  expect(Number(row!.seats)).toBe(5001);
  expect(Number(row!.same)).toBe(5001);
  expect(await em.count(Seat, { scheduleId })).toBe(1);
});
