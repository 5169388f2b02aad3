import { SeatGate, type Attempt, type Taken } from '../../src/redis/seat-gate.js';
import { Refusal } from '../../src/domain/refusals.js';
import { keys } from '../../src/redis/keys.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { endGateEntries } from '../support/gate.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import type { BrokenOnPurpose } from '../support/invariants.js';
import { servicesOf } from '../support/services.js';
import { counted, only, saleOf, viewerOf, type Sale } from '../support/sale.js';

const BROKEN: BrokenOnPurpose = { invariants: 'all', because: 'the negative controls sell seats twice and pass the limit' };

let frontrow: Frontrow;
let sale: Sale;

beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, env: { QUEUE_PASS_ATTEMPTS_MAX: '1000' }, brokenOnPurpose: BROKEN });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

const crowd = async (concert: BuiltConcert, count: number): Promise<AdmittedBuyer[]> => frontrow.build.admit(concert.id, await frontrow.build.buyers(count));

/** How many results there are of each type. */
function namesOf(results: { __typename: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { __typename } of results) counts[__typename] = (counts[__typename] ?? 0) + 1;
  return counts;
}

/** A Redis that lets everyone pass: what is left is the database. */
class OpenGate extends SeatGate {
  override async take(_attempt: Attempt): Promise<Taken> {
    return { taken: [], takenAt: 0 };
  }
}

/** Reserves without the gate, at so many processes; who is refused and who is not. */
async function withoutGate(buyers: AdmittedBuyer[], seatsOf: (index: number) => { scheduleId: string; seatNumbers: number[] }, processes = 2) {
  const services = Array.from({ length: processes }, (_, index) => {
    const { app } = frontrow.instances[index % 2]!;
    return servicesOf(app, { gate: new OpenGate(app.redis, app.redisRun) }).reservations;
  });
  const results = await Promise.allSettled(buyers.map((buyer, index) => services[index % processes]!.reserve(viewerOf(buyer), seatsOf(index))));
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason);
  const faults = failures.filter((reason) => !(reason instanceof Refusal));
  if (faults.length > 0) throw faults[0];
  return { won: results.length - failures.length, refused: failures.map((reason: Refusal) => reason.typeName) };
}

test('V3: of 500 buyers of one seat at two instances one reserves it, 499 hear SeatsUnavailable at the gate, and none waits for the winner', async () => {
  const concert = await frontrow.build.concert({ seats: 1 });
  const buyers = await crowd(concert, 500);
  const before = await counted(frontrow, 'frontrow_reserve_refused_total', 'by="gate"');
  const { transactions } = frontrow.app;

  const answers: { __typename: string }[] = [];
  const race = await transactions.run(async (em) => {
    // The winner's transaction cannot end while this one holds the seat; every loser must be answered nevertheless.
    await em.execute('select number from seat where schedule_id = ? for update', [concert.scheduleId]);
    const running = buyers.map(async (buyer, index) => {
      const answer = await sale.reserve(buyer, concert.scheduleId, [1], index % 2);
      answers.push(answer);
    });
    // The server would end a transaction that was still for 5 s, and let the winner go.
    await eventually(async () => (await em.execute('select 1')).length === 1 && answers.length === 499, '499 answers while the winner waits');
    expect(namesOf(answers)).toEqual({ SeatsUnavailable: 499 });
    return running;
  });
  await Promise.all(race);

  expect(namesOf(answers)).toEqual({ SeatsUnavailable: 499, Reservation: 1 });
  expect(await counted(frontrow, 'frontrow_reserve_refused_total', 'by="gate"')).toBe(before + 499);
  expect(await sale.liveSeatsOf(concert.scheduleId)).toEqual(new Map([[1, 1]]));
});

test('V6: losers are answered while every database connection of their instance is busy', async () => {
  const concert = await frontrow.build.concert({ seats: 1 });
  const [winner, ...losers] = await crowd(concert, 50);
  await sale.hold(winner!, concert.scheduleId, [1]);
  // Warms what does not change: the session in Redis, the concert of the date.
  await Promise.all(losers.map((buyer) => sale.reserve(buyer, concert.scheduleId, [1])));
  const { transactions, config } = frontrow.app;
  const answered = Promise.withResolvers<void>();
  let busy = 0;
  const holding = Promise.all(
    Array.from({ length: config.databasePoolMax }, () =>
      transactions.run(async (em) => {
        await em.execute('select 1');
        busy += 1;
        await answered.promise;
      }),
    ),
  );
  try {
    await eventually(() => busy === config.databasePoolMax, 'every connection to be busy');
    const results = await Promise.all(losers.map((buyer) => sale.reserve(buyer, concert.scheduleId, [1])));
    expect(namesOf(results)).toEqual({ SeatsUnavailable: 49 });
  } finally {
    answered.resolve();
    await holding;
  }
});

test('V4: groups of seats that overlap are reserved wholly or not at all, and the refusal names taken seats only', async () => {
  const concert = await frontrow.build.concert({ seats: 12 });
  const buyers = await crowd(concert, 60);
  const groups = buyers.map((_, index) => [0, 1, 2].map((step) => ((index * 5 + step * 2) % 12) + 1).sort((a, b) => a - b));
  const results = await Promise.all(buyers.map((buyer, index) => sale.reserve(buyer, concert.scheduleId, groups[index]!, index % 2)));

  const live = await sale.liveSeatsOf(concert.scheduleId);
  const won = results.flatMap((result) => (result.__typename === 'Reservation' ? [result.seats.map(({ number }) => number)] : []));
  expect(won.length).toBeGreaterThan(0);
  expect([...live.values()].every((count) => count === 1)).toBe(true);
  expect([...live.keys()].sort((a, b) => a - b)).toEqual(won.flat().sort((a, b) => a - b));
  results.forEach((result, index) => {
    if (result.__typename === 'Reservation') return expect(result.seats.map(({ number }) => number)).toEqual(groups[index]);
    expect(result.__typename).toBe('SeatsUnavailable');
    if (result.__typename !== 'SeatsUnavailable') return;
    expect(result.seatNumbers.length).toBeGreaterThan(0);
    expect(groups[index]).toEqual(expect.arrayContaining(result.seatNumbers));
  });
});

test('V4: 100 parallel reserves by one user for different seats of two dates at two instances never pass the limit', async () => {
  const concert = await frontrow.build.concert({ seats: 50, dates: 2 });
  const buyer = await frontrow.build.admittedBuyer(concert.id);
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, index) => sale.reserve(buyer, concert.scheduleIds[index % 2]!, [Math.floor(index / 2) + 1], Math.floor(index / 2) % 2)),
  );
  expect(namesOf(results)).toEqual({ Reservation: 4, SeatLimitExceeded: 96 });
  const live = await Promise.all(concert.scheduleIds.map((id) => sale.liveSeatsOf(id)));
  expect(live.reduce((sum, seats) => sum + seats.size, 0)).toBe(4);
  expect(results.find((result) => result.__typename === 'SeatLimitExceeded')).toMatchObject({ limit: 4 });
});

/** Through one connection at a time even those that nothing keeps apart would come one after the other. */
async function openAllConnections(): Promise<void> {
  const { transactions, config } = frontrow.app;
  const allOpen = Promise.withResolvers<void>();
  let open = 0;
  const holdOne = async (): Promise<void> => {
    open += 1;
    if (open === config.databasePoolMax) allOpen.resolve();
    await allOpen.promise;
  };
  await Promise.all(Array.from({ length: config.databasePoolMax }, () => transactions.run(async (em) => (await em.execute('select 1'), holdOne()))));
}

/** One user asks for a seat each at many processes, none of which puts one reserve behind the other. */
async function overLimit(): Promise<number> {
  await openAllConnections();
  const concert = await frontrow.build.concert({ seats: 40 });
  const buyer = await frontrow.build.admittedBuyer(concert.id);
  return (await withoutGate(Array.from({ length: 40 }, () => buyer), (index) => ({ scheduleId: concert.scheduleId, seatNumbers: [index + 1] }), 40)).won;
}

test('V4: 40 parallel reserves by one user, each at a process of its own, never pass the limit', async () => {
  expect(await overLimit()).toBe(4);
});

test('V7: the same reserve sent 20 times at once by one user is one reservation', async () => {
  const concert = await frontrow.build.concert({ seats: 3 });
  const buyer = await frontrow.build.admittedBuyer(concert.id);
  const results = await Promise.all(Array.from({ length: 20 }, (_, index) => sale.hold(buyer, concert.scheduleId, [1, 3], index % 2)));
  expect(new Set(results.map(({ id }) => id)).size).toBe(1);
  expect(await sale.liveSeatsOf(concert.scheduleId)).toEqual(new Map([[1, 1], [3, 1]]));
});

test('V3: with a gate that lets everyone pass the database alone sells the seat once', async () => {
  const concert = await frontrow.build.concert({ seats: 1 });
  const { won, refused } = await withoutGate(await crowd(concert, 60), () => ({ scheduleId: concert.scheduleId, seatNumbers: [1] }));
  expect(won).toBe(1);
  expect(new Set(refused)).toEqual(new Set(['SeatsUnavailable']));
  expect(await sale.liveSeatsOf(concert.scheduleId)).toEqual(new Map([[1, 1]]));
});

test('V6: of a sold-out date one buyer per seat asks the database, then the gate has learned it again', async () => {
  const concert = await frontrow.build.concert({ seats: 2 });
  const [owner, ...others] = await frontrow.build.admit(concert.id, await frontrow.build.buyers(61, { balance: 100_000 }));
  only(await sale.pay(owner!, (await sale.hold(owner!, concert.scheduleId, [1, 2])).id), 'Payment');
  await endGateEntries(frontrow.app.redis, concert);
  const before = await counted(frontrow, 'frontrow_reserve_refused_total', 'by="database"');
  const results = await Promise.all(others.map((buyer, index) => sale.reserve(buyer, concert.scheduleId, [(index % 2) + 1], index % 2)));
  expect(namesOf(results)).toEqual({ SeatsUnavailable: 60 });
  expect(await counted(frontrow, 'frontrow_reserve_refused_total', 'by="database"')).toBe(before + 2);
});

test('V7: a reserve that found its hold, which is cancelled before the answer, leaves nothing at the gate', async () => {
  const { app } = frontrow;
  const concert = await frontrow.build.concert({ seats: 1 });
  const [buyer, next] = await crowd(concert, 2);
  const hold = await sale.hold(buyer!, concert.scheduleId, [1]);
  const cancelling = { on: true };
  const cancel = async (): Promise<void> => {
    if (!cancelling.on) return;
    cancelling.on = false;
    only(await sale.cancel(buyer!, hold.id), 'Reservation');
  };
  /** The last moment before the attempt's entries become anything. */
  class SlowGate extends SeatGate {
    override confirm(...args: Parameters<SeatGate['confirm']>) {
      return cancel().then(() => super.confirm(...args));
    }
    override free(...args: Parameters<SeatGate['free']>) {
      return cancel().then(() => super.free(...args));
    }
  }
  const { reservations: slow } = servicesOf(app, { gate: new SlowGate(app.redis, app.redisRun) });
  await app.redis.del(keys.seatGate(await app.redisRun.current(), concert.id, concert.scheduleId));
  expect((await slow.reserve(viewerOf(buyer!), { scheduleId: concert.scheduleId, seatNumbers: [1] })).id).toBe(hold.id);
  expect(cancelling.on).toBe(false);
  await sale.hold(next!, concert.scheduleId, [1]);
});

test('V3: a lost gate lets no seat be sold twice', async () => {
  const concert = await frontrow.build.concert({ seats: 2 });
  const buyers = await crowd(concert, 40);
  await sale.hold(buyers[0]!, concert.scheduleId, [1]);
  await frontrow.app.redis.del(keys.seatGate(await frontrow.app.redisRun.current(), concert.id, concert.scheduleId));
  const results = await Promise.all(buyers.slice(1).map((buyer, index) => sale.reserve(buyer, concert.scheduleId, [1, 2], index % 2)));
  expect(namesOf(results)).toEqual({ SeatsUnavailable: 39 });
  const again = await sale.reserve(buyers[1]!, concert.scheduleId, [1, 2]);
  expect(again).toMatchObject({ __typename: 'SeatsUnavailable', seatNumbers: [1] });
});

describe('negative controls: with a guard off the same race goes wrong', () => {
  beforeAll(() => frontrow.checkInvariants());

  /** Every seat reads AVAILABLE for ever: the statements that look at a seat's status decide nothing any more. */
  const blindSeats = `create trigger blind_seats before update on seat for each row set new.status = 'AVAILABLE', new.reservation_id = null, new.held_until = null`;
  const execute = (sql: string) => frontrow.app.orm.em.getConnection().execute(sql);

  test('V3: blind to the status of seats, the unique key alone still sells once; without it the seat is sold twice', async () => {
    const concert = await frontrow.build.concert({ seats: 2 });
    const buyers = await crowd(concert, 20);
    await execute(blindSeats);
    const guarded = await withoutGate(buyers, () => ({ scheduleId: concert.scheduleId, seatNumbers: [1] }));
    expect(guarded.won).toBe(1);
    expect(guarded.refused).toEqual(Array.from({ length: 19 }, () => 'SeatsUnavailable'));

    await execute('alter table reservation_seat drop index reservation_seat_live_unique');
    const open = await withoutGate(buyers.slice(10), () => ({ scheduleId: concert.scheduleId, seatNumbers: [2] }));
    expect(open.won).toBeGreaterThan(1);
    expect((await sale.liveSeatsOf(concert.scheduleId)).get(2)).toBe(open.won);
  });

  test('V4: without the key that makes the quota row one row to lock, parallel reserves pass the limit', async () => {
    await execute('drop trigger if exists blind_seats');
    await execute('alter table reservation_quota drop primary key');
    expect(await overLimit()).toBeGreaterThan(4);
  });
});
