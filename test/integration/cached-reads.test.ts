import { jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { LastKnown } from '../../src/database/last-known.js';
import { ReadSet } from '../../src/domain/read-set.js';
import type { SeatFilter } from '../../src/domain/seat-snapshot.js';
import { CatalogueGeneration } from '../../src/redis/catalogue-generation.js';
import { keys } from '../../src/redis/keys.js';
import { Script } from '../../src/redis/script.js';
import { SeatLog } from '../../src/redis/seat-log.js';
import { SharedCopies } from '../../src/redis/shared-copies.js';
import { Catalogue, ITEM_KEPT_MS, ITEMS_MAX } from '../../src/services/catalogue.js';
import { SeatBoard } from '../../src/services/seat-board.js';
import { SEATS_IN_MEMORY_MAX } from '../../src/services/seat-copies.js';
import { WarmUp } from '../../src/services/warm-up.js';
import { ConcertsDocument, SchedulesDocument, SeatMapDocument, SeatsDocument } from '../graphql/operations.js';
import { changedBehind } from '../support/behind.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { statementsOf as statementsOfAll } from '../support/statements.js';

/** What is told from memory: read once for all who ask at once, never older than its law allows, and right again after anything that is lost. */

let frontrow: Frontrow;
let concert: BuiltConcert;
let buyer: AdmittedBuyer;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, brokenOnPurpose: { invariants: ['sold-is-confirmed', 'held-is-reserved'], because: 'seats get their statuses without reservations' } });
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: 20, dates: 2 });
  buyer = await frontrow.build.admittedBuyer(concert.id);
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => frontrow.stop());

const appOf = (instance: number) => frontrow.instances[instance]!.app;
const all: SeatFilter = { status: null, section: null, first: null, afterNumber: null };
const DAY_MS = 86_400_000;

const statementsOf = (work: () => Promise<unknown>) => statementsOfAll(frontrow, work);
const onSeats = (statements: string[]) => statements.filter((sql) => /from seat\b/.test(sql));

/** Committed and told to nobody. */
const write = (status: string, number: number, scheduleId = concert.scheduleId) =>
  frontrow.app.transactions.fork().execute('update seat set status = ?, version = version + 1 where schedule_id = ? and number = ?', [status, scheduleId, number], 'run');
/** The message of it is lost on its way; its entry in the log is there. */
async function logSilently(number: number, status: string, version: number): Promise<void> {
  const log = keys.seatLog(await frontrow.app.redisRun.current(), concert.scheduleId);
  await new Script('seat-tell').run(frontrow.app.redis, log, [concert.scheduleId, randomUUID(), 'x', 1000, 60_000, 0, number, version, JSON.stringify([number, status, version, null])]);
}
const statusOf = async (instance: number, number: number) => (await appOf(instance).services.seats.ofSchedule(concert.scheduleId, all))[number - 1]!.status;
const titleOf = async (instance: number) => (await appOf(instance).services.concerts.find(concert.id))!.title;

const steadyNow = performance.now.bind(performance);
/** From here on this process believes that so much time has passed since the test began. */
function passTime(ms: number): void {
  jest.spyOn(performance, 'now').mockImplementation(() => steadyNow() + ms);
}

test('C5: of 1,000 who ask at once for seats that nobody has read, on two instances, one asks the database', async () => {
  const ask = (index: number) => appOf(index % 2).services.seats.ofSchedule(concert.scheduleId, all);
  const statements = await statementsOf(async () => {
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, index) => ask(index)));
    for (const answer of answers) expect(answer).toHaveLength(20);
  });
  expect(onSeats(statements)).toHaveLength(1);
});

test('C5: of 1,000 who ask at once for a page of concerts, on two instances, one asks the database', async () => {
  const statements = await statementsOf(async () => {
    const pages = await Promise.all(Array.from({ length: 1000 }, (_, index) => appOf(index % 2).services.concerts.page(7, null)));
    for (const page of pages) expect(page.nodes[0]).toMatchObject({ id: concert.id, saleOpensAt: expect.any(Date) });
  });
  expect(statements).toHaveLength(1);
});

test('C5: without Redis to share by, each instance asks once for all its own', async () => {
  const down = new SharedCopies({ callBuffer: () => Promise.reject(new Error('away')) } as never);
  let reads = 0;
  const catalogue = catalogueOf(new CatalogueGeneration(frontrow.app.redis, frontrow.app.redisRun), down);
  const values = await Promise.all(Array.from({ length: 1000 }, () => catalogue.one('thing', 'a', async () => (reads += 1))));
  expect(new Set(values)).toEqual(new Set([1]));
  expect(reads).toBe(1);
});

test('C5: one that reads and dies keeps the others no longer than a moment', async () => {
  const shared = new SharedCopies(frontrow.app.redis);
  void shared.one('dead', () => new Promise(() => undefined));
  await eventually(async () => (await frontrow.app.redis.exists(keys.sharedCopyLock('dead'))) === 1, 'the lock');
  expect(await new SharedCopies(frontrow.app.redis).one('dead', () => Promise.resolve('read'))).toBe('read');
});

const catalogueOf = (generations: Pick<CatalogueGeneration, 'current' | 'raise'>, shared = new SharedCopies(frontrow.app.redis), itemsMax?: number) =>
  new Catalogue(generations as CatalogueGeneration, shared, frontrow.app.pubsub, new LastKnown(frontrow.app.databaseSigns), itemsMax);

/** A reader is held up between the database and its memory while the change is committed. */
async function lateOldValue(generations: Pick<CatalogueGeneration, 'current' | 'raise'>): Promise<string> {
  const [mine, other] = [catalogueOf(generations), catalogueOf(generations)];
  const id = randomUUID();
  const [hasRead, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let row = 'old';
  const slow = mine.one('late', id, async () => {
    const value = row;
    hasRead.resolve();
    await goOn.promise;
    return value;
  });
  await hasRead.promise;
  row = 'new';
  await other.changed();
  await eventually(async () => mine.version > 1 || generations instanceof NeverRaised, 'the message');
  goOn.resolve();
  expect(await slow).toBe('old');
  // The old value has come to Redis by now, or never will.
  await frontrow.app.redis.ping();
  const answers = await Promise.all([mine, other].map((catalogue) => catalogue.one('late', id, async () => row)));
  expect(answers[0]).toBe(answers[1]);
  return answers[0]!;
}

/** Negative control: a catalogue of which all generations are one. */
class NeverRaised extends CatalogueGeneration {
  override raise() {
    return this.current();
  }
}

test('C5: an old value that comes late never wins, in this process or in another', async () => {
  expect(await lateOldValue(new CatalogueGeneration(frontrow.app.redis, frontrow.app.redisRun))).toBe('new');
});

test('C5: negative control: without generations it does', async () => {
  expect(await lateOldValue(new NeverRaised(frontrow.app.redis, frontrow.app.redisRun))).toBe('old');
});

test('C5: seats that were read before a change are corrected by the log, whichever comes first', async () => {
  await frontrow.app.services.seats.ofSchedule(concert.scheduleId, all);
  const [hasRead, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  class SlowCopies extends SharedCopies {
    override async one<T>(_name: string, read: () => Promise<T>): Promise<T> {
      const value = await read();
      hasRead.resolve();
      await goOn.promise;
      return value;
    }
  }
  const board = boardOf({ shared: new SlowCopies(frontrow.app.redis) });
  const reading = board.copyOf(concert.scheduleId);
  await hasRead.promise;
  await write('SOLD', 4);
  await frontrow.app.board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [4] }]);
  await frontrow.app.services.concerts.setPrices(concert.id, [{ grade: 'R', amount: 777 }]);
  goOn.resolve();
  const seats = (await reading).snapshot.seats(all);
  expect(seats[3]).toMatchObject({ number: 4, status: 'SOLD', price: 10_000 });
  expect(seats.filter(({ price }) => price === 777)).toHaveLength(19);
});

const boardOf = (more: Partial<ConstructorParameters<typeof SeatBoard>[0]> = {}, seatsMax?: number) => {
  const { transactions, redis, redisRun, pubsub, databaseSigns: signs } = frontrow.app;
  return new SeatBoard({ transactions, log: new SeatLog(redis, redisRun), shared: new SharedCopies(redis), pubsub, signs, lastKnown: new LastKnown(signs), ...more }, seatsMax);
};

test('C5: what one instance changes is read on both from then on', async () => {
  for (const instance of [0, 1]) expect(await statusOf(instance, 2)).toBe('AVAILABLE');
  await write('SOLD', 2);
  await frontrow.app.board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [2] }]);
  expect(await statusOf(0, 2)).toBe('SOLD');
  await eventually(async () => (await statusOf(1, 2)) === 'SOLD', 'the message');
  for (const instance of [0, 1]) expect(await titleOf(instance)).toBe('A Test Night');
  await appOf(1).services.concerts.update(concert.id, { title: 'Another Night' });
  expect(await titleOf(1)).toBe('Another Night');
  await eventually(async () => (await titleOf(0)) === 'Another Night', 'the message');
});

test('C5: when the word of a change of seats is lost, the copy is right once it is due to be compared', async () => {
  expect(await statusOf(1, 3)).toBe('AVAILABLE');
  await write('SOLD', 3);
  await logSilently(3, 'SOLD', 1);
  expect(await statusOf(1, 3)).toBe('AVAILABLE');
  passTime(4000);
  await eventually(async () => (await statusOf(1, 3)) === 'SOLD', 'the change');
});

test('C5: a change that nobody told of at all is seen once the copy is due to be read anew', async () => {
  expect(await statusOf(1, 3)).toBe('AVAILABLE');
  await write('SOLD', 3);
  // What was read for others a moment ago is gone in a moment.
  await frontrow.app.redis.del(await frontrow.app.redis.keys(keys.sharedCopy('*')));
  passTime(DAY_MS);
  await eventually(async () => (await statusOf(1, 3)) === 'SOLD', 'the reading');
});

test('C5: a copy that nobody has asked for in a while is compared before it is told', async () => {
  expect(await statusOf(1, 3)).toBe('AVAILABLE');
  await write('SOLD', 3);
  await logSilently(3, 'SOLD', 1);
  passTime(DAY_MS);
  expect(await statusOf(1, 3)).toBe('SOLD');
});

test('C5: while messages are known to be lost, every reading is compared first', async () => {
  const { board } = appOf(1);
  expect(await statusOf(1, 3)).toBe('AVAILABLE');
  board.deafen();
  await write('SOLD', 3);
  await logSilently(3, 'SOLD', 1);
  expect(await statusOf(1, 3)).toBe('SOLD');
  board.hear();
});

test('C5: without Redis seats are read from the database again and again, by one for all, and kept true from its return on', async () => {
  let isAway = true;
  class Log extends SeatLog {
    override since(...args: Parameters<SeatLog['since']>): ReturnType<SeatLog['since']> {
      return isAway ? Promise.reject(new Error('away')) : super.since(...args);
    }
  }
  const board = boardOf({ log: new Log(frontrow.app.redis, frontrow.app.redisRun) });
  const third = async () => (await board.copyOf(concert.scheduleId)).snapshot.statusOf(3);
  expect(await third()).toBe('AVAILABLE');
  await write('SOLD', 3);
  passTime(60_000);
  expect(onSeats(await statementsOf(() => Promise.all(Array.from({ length: 100 }, third))))).toHaveLength(1);
  expect(await third()).toBe('SOLD');
  isAway = false;
  passTime(120_000);
  await write('AVAILABLE', 3);
  expect(await third()).toBe('AVAILABLE');
  await write('SOLD', 3);
  await frontrow.app.board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [3] }]);
  await eventually(async () => (await third()) === 'SOLD', 'the message');
});

test('C5: when the word of a change of the catalogue is lost, it is right once an item is due', async () => {
  expect(await titleOf(1)).toBe('A Test Night');
  await frontrow.app.transactions.fork().execute('update concert set title = ? where id = ?', ['Unheard Of', concert.id], 'run');
  await frontrow.app.redis.hincrby(keys.catalogue(await frontrow.app.redisRun.current()), 'generation', 1);
  expect(await titleOf(1)).toBe('A Test Night');
  passTime(1.25 * ITEM_KEPT_MS);
  await eventually(async () => (await titleOf(1)) === 'Unheard Of', 'the new title');
});

test('C5: what is remembered comes due at another time for each item and copy', async () => {
  const reads = Array.from({ length: 50 }, () => new ReadSet());
  await Promise.all(reads.map((_set, index) => frontrow.app.catalogue.one('jitter', String(index), async () => index)));
  await Promise.all(reads.map((set, index) => frontrow.app.catalogue.one('jitter', String(index), async () => index, set)));
  const now = performance.now();
  const still = (ms: number) => reads.filter((set) => set.isCurrent(now + ms)).length;
  expect(still(0.7 * ITEM_KEPT_MS)).toBe(50);
  expect(still(1.3 * ITEM_KEPT_MS)).toBe(0);
  expect(still(ITEM_KEPT_MS)).toBeGreaterThan(5);
  expect(still(ITEM_KEPT_MS)).toBeLessThan(45);
});

test('C5: an answer that is kept is known for old with a change of what it was read from, and with the end of a hold', async () => {
  const { board, catalogue, services } = frontrow.app;
  const read = async (): Promise<ReadSet> => {
    const reads = new ReadSet();
    await services.seats.ofSchedule(concert.scheduleId, all, reads);
    await services.concerts.find(concert.id, reads);
    return reads;
  };
  await read();
  const first = await read();
  expect(first.isCurrent(performance.now())).toBe(true);
  await catalogue.changed();
  expect(first.isCurrent(performance.now())).toBe(false);
  await read();
  const second = await read();
  expect(second.isCurrent(performance.now())).toBe(true);
  await frontrow.app.transactions.fork().execute("update seat set status = 'HELD', version = version + 1, held_until = sysdate(3) + interval 5 second where schedule_id = ? and number = 1", [concert.scheduleId], 'run');
  await board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [1] }]);
  expect(second.isCurrent(performance.now())).toBe(false);
  const third = await read();
  expect(third.isCurrent(performance.now())).toBe(true);
  expect(third.isCurrent(performance.now() + 5000)).toBe(false);
});

test('C5: the seats that are left are counted anew with each change, with the end of a hold, and the start of the date', async () => {
  const left = async (instance: number) => {
    const [date] = (await frontrow.client(instance).run(SchedulesDocument, { concertId: concert.id })).data!.schedules;
    const page = (await frontrow.client(instance).run(ConcertsDocument, { first: 1 })).data!.concerts;
    return [date!.availableSeats, page.nodes[0]!.schedules[0]!.availableSeats];
  };
  /** The one that told knows it at once, the other a moment later. */
  const bothTell = async (seats: number, teller: number): Promise<void> => {
    expect(await left(teller)).toEqual([seats, seats]);
    await eventually(async () => (await left(1 - teller)).every((told) => told === seats), `${seats} seats left`);
  };
  const comes = (seats: number) => Promise.all([0, 1].map((instance) => eventually(async () => (await left(instance)).every((told) => told === seats), `${seats} seats left`)));
  // As a number alone, and as a copy of all seats.
  await appOf(1).services.seats.ofSchedule(concert.scheduleId, all);
  await bothTell(20, 0);
  await write('SOLD', 1);
  await appOf(1).board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [1] }]);
  await bothTell(19, 1);
  const holdFor = async (seconds: number): Promise<void> => {
    const sql = "update seat set status = 'HELD', version = version + 1, held_until = sysdate(3) + interval ? second where schedule_id = ? and number = 2";
    await frontrow.app.transactions.fork().execute(sql, [seconds, concert.scheduleId], 'run');
    await frontrow.app.board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [2] }]);
  };
  await holdFor(60);
  await bothTell(18, 0);
  await holdFor(0.5);
  await comes(19);
  await frontrow.app.transactions.fork().execute('update schedule set starts_at = sysdate(3) + interval 1 second where id = ?', [concert.scheduleId], 'run');
  await changedBehind(frontrow.app);
  await comes(0);
});

test('C5: of a date whose seats are being sold all seats are known after its first change, so that counting costs nothing', async () => {
  const board = boardOf({ shared: unshared() });
  const left = async () => (await board.available([concert.scheduleId]))[0];
  const sell = async (number: number) => {
    await write('SOLD', number);
    await board.reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [number] }]);
  };
  // Kept from the moment on that messages are heard.
  await eventually(async () => (await statementsOf(left)).length === 0, 'a number that is kept');
  await sell(1);
  expect(await left()).toBe(19);
  await board.copyOf(concert.scheduleId);
  for (let number = 2; number < 8; number += 1) {
    await sell(number);
    expect(await statementsOf(async () => expect(await left()).toBe(20 - number))).toEqual([]);
  }
});

test('C5: memory is bounded: what was unused longest is read again, in copies of seats and in the catalogue', async () => {
  expect([SEATS_IN_MEMORY_MAX, ITEMS_MAX]).toEqual([500_000, 20_000]);
  const [first, second] = concert.scheduleIds as [string, string];
  const readsOf = async (board: SeatBoard, id: string) => onSeats(await statementsOf(() => board.copyOf(id))).length;
  const [roomy, tight] = [boardOf({ shared: unshared() }, 40), boardOf({ shared: unshared() }, 39)];
  for (const board of [roomy, tight]) for (const id of [first, second]) expect(await readsOf(board, id)).toBe(1);
  expect(await readsOf(roomy, first)).toBe(0);
  expect(await readsOf(tight, second)).toBe(0);
  expect(await readsOf(tight, first)).toBe(1);
  let reads = 0;
  const catalogue = catalogueOf(new CatalogueGeneration(frontrow.app.redis, frontrow.app.redisRun), unshared(), 2);
  const ask = (id: string) => catalogue.one('bound', id, async () => (reads += 1));
  for (const id of ['a', 'b', 'a', 'c', 'c', 'a']) await ask(id);
  expect(reads).toBe(4);
});

const unshared = (): SharedCopies => new SharedCopies({ callBuffer: () => Promise.reject(new Error('away')) } as never);

test('C5: a process that starts reads what is on sale, or goes on sale within seven days, before anybody asks', async () => {
  const soon = await frontrow.build.concert({ seats: 3, saleOpensAt: new Date(Date.now() + 6.9 * DAY_MS) });
  const later = await frontrow.build.concert({ seats: 3, saleOpensAt: new Date(Date.now() + 7.1 * DAY_MS) });
  const board = boardOf({ shared: unshared() });
  expect(await new WarmUp(frontrow.app.transactions, board, frontrow.app.logger).run()).toBeGreaterThan(2);
  const reads = async (id: string) => onSeats(await statementsOf(() => board.copyOf(id))).length;
  expect([await reads(concert.scheduleId), await reads(soon.scheduleId), await reads(later.scheduleId)]).toEqual([0, 0, 1]);
  expect(await new WarmUp(frontrow.app.transactions, boardOf({ shared: unshared() }), frontrow.app.logger, 3).run()).toBe(1);
});

test('C5: each operation costs the same few statements when nothing is known, and none when it is', async () => {
  for (let index = 0; index < 15; index += 1) await frontrow.build.concert({ seats: 5, dates: 3 });
  const operations = {
    concerts: (first: number) => frontrow.client().run(ConcertsDocument, { first }),
    schedules: () => frontrow.client().run(SchedulesDocument, { concertId: concert.id }),
    seats: () => frontrow.client().run(SeatsDocument, { scheduleId: concert.scheduleId }, buyer),
    seatMap: () => frontrow.client().run(SeatMapDocument, { scheduleId: concert.scheduleId }, buyer),
  };
  const forget = () => changedBehind(frontrow.app, ...concert.scheduleIds);
  const cost = async (operation: () => Promise<{ errors?: unknown }>): Promise<number> =>
    (await statementsOf(async () => expect((await operation()).errors).toBeUndefined())).length;
  const [few, many] = [() => operations.concerts(2), () => operations.concerts(15)];
  await forget();
  appOf(0).board.forget();
  const cold = await cost(few);
  expect(cold).toBeGreaterThan(0);
  expect(cold).toBeLessThanOrEqual(7);
  await forget();
  appOf(0).board.forget();
  expect(await cost(many)).toBe(cold);
  await forget();
  expect(await cost(operations.schedules)).toBeLessThanOrEqual(5);
  await forget();
  // The session, whose concert's date it is, the clock, and the seats.
  expect(await cost(operations.seats)).toBeLessThanOrEqual(4);
  await forget();
  expect(await cost(operations.seatMap)).toBeLessThanOrEqual(2);
  for (const warm of [few, many, operations.schedules, operations.seats, operations.seatMap]) {
    await warm();
    expect(await cost(warm)).toBe(0);
  }
});
