import { viewerOf } from '../support/sale.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** A process whose own clock is an hour off decides as every other: by the clock of the database. */

const HOUR_MS = 3_600_000;
const RealDate = Date;
/** The clock of this process: of every module in it. */
function setClockOff(byMs: number): void {
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args: [], newTarget) => (args.length === 0 ? new target(target.now() + byMs) : (Reflect.construct(target, args, newTarget) as Date)),
    get: (target, name) => (name === 'now' ? () => target.now() + byMs : (Reflect.get(target, name) as unknown)),
  });
}

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { HOLD_TTL_MS: '60000' } });
});
afterEach(() => {
  globalThis.Date = RealDate;
});
afterAll(() => frontrow.stop());

async function withHold() {
  const concert = await frontrow.build.concert({ seats: 2 });
  const buyer = await frontrow.build.admittedBuyer(concert.id, { balance: 50_000 });
  const { reservations, payments } = frontrow.app.services;
  return {
    expire: reservations.expire.bind(reservations),
    reserve: () => reservations.reserve(viewerOf(buyer), { scheduleId: concert.scheduleId, seatNumbers: [1] }),
    pay: (id: string) => payments.pay(viewerOf(buyer), buyer.queueToken, id),
    /** By the database's clock the hold is over now. */
    end: (id: string) => frontrow.app.transactions.run(async (em) => {
      await em.execute('set @now = sysdate(3)');
      await em.execute('update reservation set expires_at = @now where id = ?', [id]);
      await em.execute('update seat set held_until = @now where reservation_id = ?', [id]);
    }),
  };
}

test.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
])('V2: an hour %s, a hold lasts its minute by the database’s clock; its job frees nothing before, and it can be paid', async (_where, offMs) => {
  const { reserve, expire, pay } = await withHold();
  setClockOff(offMs);
  const hold = await reserve();
  expect(Math.abs(hold.expiresAt.getTime() - RealDate.now() - 60_000)).toBeLessThan(5000);
  const { remainingMs } = await expire(hold.id);
  expect(remainingMs).toBeGreaterThan(50_000);
  expect(remainingMs).toBeLessThanOrEqual(60_000);
  expect((await pay(hold.id)).status).toBe('PAID');
});

test.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
])('V2: an hour %s, a hold that is over by the database’s clock cannot be paid, and its job ends it', async (_where, offMs) => {
  const { reserve, expire, pay, end } = await withHold();
  const hold = await reserve();
  await end(hold.id);
  setClockOff(offMs);
  await expect(pay(hold.id)).rejects.toMatchObject({ typeName: 'ReservationNotPayable' });
  expect(await expire(hold.id)).toEqual({ remainingMs: 0 });
  expect((await frontrow.app.services.reservations.find({ userId: hold.userId } as never, hold.id))!.status).toBe('EXPIRED');
});
