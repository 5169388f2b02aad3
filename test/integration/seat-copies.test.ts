import { jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { serialize } from 'node:v8';
import { LastKnown } from '../../src/database/last-known.js';
import { serviceUnavailable } from '../../src/domain/errors.js';
import { ReadSet } from '../../src/domain/read-set.js';
import type { SeatChange } from '../../src/domain/seat-change.js';
import { keys } from '../../src/redis/keys.js';
import { Script } from '../../src/redis/script.js';
import { SeatLog } from '../../src/redis/seat-log.js';
import { SharedCopies } from '../../src/redis/shared-copies.js';
import type { KnownOperation } from '../../src/server/known-operation.js';
import { SharedAnswers } from '../../src/server/shared-answers.js';
import { SeatBoard } from '../../src/services/seat-board.js';
import { COUNTED_RELOAD_LATER_MS, SHARED_SEATS_MAX } from '../../src/services/seat-copies.js';
import { sequenceOf, type SeatsEvent } from '../../src/services/seat-rooms.js';
import { FAILED_IN_TURN_MAX, WarmUp } from '../../src/services/warm-up.js';
import type { BuiltConcert } from '../support/builder.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** What a copy of a date's seats learns, between the commit of a change and its entry in the log, and what watchers are told of it. */

let frontrow: Frontrow;
let concert: BuiltConcert;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['sold-is-confirmed'], because: 'seats get their statuses without reservations' } });
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: 20 });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(watching.splice(0).map((one) => one.return!()));
});
afterAll(() => frontrow.stop());

const boardOf = (more: Partial<ConstructorParameters<typeof SeatBoard>[0]> = {}) => {
  const { transactions, redis, redisRun, pubsub, databaseSigns: signs } = frontrow.app;
  return new SeatBoard({ transactions, log: new SeatLog(redis, redisRun), shared: unshared(), pubsub, signs, lastKnown: new LastKnown(signs), ...more });
};
const unshared = (): SharedCopies => new SharedCopies({ callBuffer: () => Promise.reject(new Error('away')) } as never);

/** A log whose entries are written when the test says so. */
class HeldLog extends SeatLog {
  before: Promise<void> = Promise.resolve();

  override async tell(...args: Parameters<SeatLog['tell']>): Promise<void> {
    await this.before;
    await super.tell(...args);
  }
}
const heldLog = () => new HeldLog(frontrow.app.redis, frontrow.app.redisRun);

/** Everything is read anew when the test says so. */
class HeldReading extends SharedCopies {
  before: Promise<void> = Promise.resolve();

  override async one<T>(_name: string, read: () => Promise<T>): Promise<T> {
    await this.before;
    return read();
  }
}

/** Committed, and told to nobody. */
async function sold(number: number): Promise<SeatChange> {
  await frontrow.app.transactions.fork().execute("update seat set status = 'SOLD', version = version + 1 where schedule_id = ? and number = ?", [concert.scheduleId, number], 'run');
  return { number, status: 'SOLD', version: 1, heldUntil: null };
}
const told = (seat: SeatChange) => [{ concertId: concert.id, scheduleId: concert.scheduleId, seats: [seat] }];
/** Told by another process. */
const sell = async (number: number) => frontrow.app.board.tell(told(await sold(number)));

/** The entry of a sold seat is in the log, and its message is lost. */
async function logSilently(number: number): Promise<void> {
  const names = keys.seatLog(await frontrow.app.redisRun.current(), concert.scheduleId);
  await new Script('seat-tell').run(frontrow.app.redis, names, [concert.scheduleId, randomUUID(), 'x', 1000, 60_000, 0, number, 1, JSON.stringify([number, 'SOLD', 1, null])]);
}

const watching: AsyncIterableIterator<SeatsEvent>[] = [];
async function watch(board: SeatBoard, after: string | null) {
  const watcher = await board.watch(concert.scheduleId, after);
  watching.push(watcher);
  return { next: async () => (await watcher.next()).value as SeatsEvent };
}
/** All that is told until that seat is. */
async function numbersUntil(watcher: { next(): Promise<SeatsEvent> }, last: number): Promise<Set<number>> {
  const numbers = new Set<number>();
  while (!numbers.has(last)) {
    const { changes, resync } = await watcher.next();
    expect(resync).toBe(false);
    for (const { number } of changes) numbers.add(number);
  }
  return numbers;
}

const steadyNow = performance.now.bind(performance);
/** From here on this process believes that so much time has passed since the test began. */
function passTime(ms: number): void {
  jest.spyOn(performance, 'now').mockImplementation(() => steadyNow() + ms);
}

test('C7: who comes between a change and its entry in the log, with a map from before, is told of it with the entry', async () => {
  const log = heldLog();
  const board = boardOf({ log });
  const early = await watch(board, null);
  const { sequence } = await early.next();
  const entry = Promise.withResolvers<void>();
  log.before = entry.promise;
  const telling = board.tell(told(await sold(3)));
  expect((await early.next()).changes).toEqual([{ number: 3, status: 'SOLD' }]);
  const late = await watch(board, sequence);
  entry.resolve();
  await telling;
  await sell(5);
  expect([...(await numbersUntil(late, 5))]).toEqual([3, 5]);
});

test('C7: so is who comes before everything is read anew, when that is ahead of the messages', async () => {
  const log = heldLog();
  const board = boardOf({ log });
  const early = await watch(board, null);
  const { sequence } = await early.next();
  log.before = new Promise(() => undefined);
  void board.tell(told(await sold(3)));
  expect((await early.next()).changes).toEqual([{ number: 3, status: 'SOLD' }]);
  const copy = await board.copyOf(concert.scheduleId);
  const late = await watch(board, sequence);
  await logSilently(3);
  passTime(20_000);
  await eventually(() => copy.sequence === 1, 'the entry');
  await sell(5);
  expect([...(await numbersUntil(late, 5))]).toEqual([3, 5]);
});

test('C7: new prices are told of at once, not only when they have been read: who goes on later from their sequence has heard of them', async () => {
  const reading = new HeldReading(frontrow.app.redis);
  const board = boardOf({ shared: reading });
  const watcher = await watch(board, null);
  await watcher.next();
  const copy = await board.copyOf(concert.scheduleId);
  const goOn = Promise.withResolvers<void>();
  reading.before = goOn.promise;
  await frontrow.app.services.concerts.setPrices(concert.id, [{ grade: 'R', amount: 777 }]);
  await eventually(() => copy.sequence === 1, 'the entry');
  await sell(5);
  await eventually(() => copy.sequence === 2, 'the change');
  expect((await watcher.next()).resync).toBe(true);
  goOn.resolve();
});

test('C7: the watchers of a date that is deleted are told to read everything, and find it gone', async () => {
  const board = boardOf();
  const watcher = await watch(board, null);
  await watcher.next();
  // Nobody tells of it.
  await frontrow.app.transactions.fork().execute('delete from seat where schedule_id = ?', [concert.scheduleId], 'run');
  await frontrow.app.transactions.fork().execute('update schedule set deleted_at = now(3), total_seats = 0 where id = ?', [concert.scheduleId], 'run');
  passTime(20_000);
  expect((await watcher.next()).resync).toBe(true);
  await expect(board.copyOf(concert.scheduleId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test('C7: a reading that fails takes nothing from who watches', async () => {
  const reading = { fails: false };
  class FailingCopies extends SharedCopies {
    override one<T>(_name: string, read: () => Promise<T>): Promise<T> {
      return reading.fails ? Promise.reject(serviceUnavailable()) : read();
    }
  }
  const board = boardOf({ shared: new FailingCopies(frontrow.app.redis) });
  const watcher = await watch(board, null);
  await watcher.next();
  const copy = await board.copyOf(concert.scheduleId);
  reading.fails = true;
  passTime(20_000);
  await eventually(() => copy.refreshing !== null, 'the reading');
  await copy.refreshing!.catch(() => undefined);
  await sell(5);
  expect([...(await numbersUntil(watcher, 5))]).toEqual([5]);
  expect(sequenceOf(copy)).toMatch(/\.1$/);
});

test('C5: an answer that is kept is given no more once messages may be lost, nor one of that time afterwards', async () => {
  const board = boardOf();
  const answer = new SharedAnswers().of({} as KnownOperation, {});
  let made = 0;
  const ask = async () => {
    const bytes = await answer.shared(async () => {
      made += 1;
      const reads = new ReadSet();
      const { snapshot } = await board.copyOf(concert.scheduleId, reads);
      return { body: Buffer.from(snapshot.statusOf(3)!), reads };
    });
    return String(bytes);
  };
  await ask();
  expect([await ask(), made]).toEqual(['AVAILABLE', 1]);
  board.deafen();
  await sold(3);
  await logSilently(3);
  expect([await ask(), made]).toEqual(['SOLD', 2]);
  // Of those who come at once one reads, and nobody keeps it.
  expect([await Promise.all([ask(), ask(), ask()]), made]).toEqual([['SOLD', 'SOLD', 'SOLD'], 3]);
  board.hear();
  expect([await ask(), made]).toEqual(['SOLD', 4]);
  expect([await ask(), made]).toEqual(['SOLD', 4]);
});

test('C5: after a quiet time only what was missed is asked for before the copy is told, and everything is read anew for nobody who waits', async () => {
  const reading = new HeldReading(frontrow.app.redis);
  const board = boardOf({ shared: reading });
  await board.copyOf(concert.scheduleId);
  await sold(3);
  await logSilently(3);
  await sold(4);
  const goOn = Promise.withResolvers<void>();
  reading.before = goOn.promise;
  passTime(86_400_000);
  const copy = await board.copyOf(concert.scheduleId);
  expect([3, 4].map((number) => copy.snapshot.statusOf(number))).toEqual(['SOLD', 'AVAILABLE']);
  goOn.resolve();
  await copy.refreshing;
  expect(copy.snapshot.statusOf(4)).toBe('SOLD');
});

test('C5: a copy of which only the number of seats left is asked for is read anew a minute later than others', async () => {
  const board = boardOf();
  const copy = await board.copyOf(concert.scheduleId);
  const readsAfter = async (ms: number, ask: () => Promise<unknown>): Promise<boolean> => {
    passTime(ms);
    const before = copy.reloadAt;
    await ask();
    await copy.refreshing;
    return copy.reloadAt !== before;
  };
  const left = () => board.available([concert.scheduleId]);
  copy.reloadAt = performance.now();
  expect(COUNTED_RELOAD_LATER_MS).toBe(60_000);
  expect(await readsAfter(55_000, left)).toBe(false);
  expect(await readsAfter(100_000, left)).toBe(true);
  copy.reloadAt = performance.now();
  expect(await readsAfter(155_000, () => board.copyOf(concert.scheduleId))).toBe(true);
});

test('C5: without Redis a date that takes long to read is read less often', async () => {
  let passed = 0;
  class Away extends SeatLog {
    /** Each reading takes a second. */
    override since(): ReturnType<SeatLog['since']> {
      passTime((passed += 1000));
      return Promise.reject(new Error('away'));
    }
  }
  const copy = await boardOf({ log: new Away(frontrow.app.redis, frontrow.app.redisRun) }).copyOf(concert.scheduleId);
  expect(copy.checkAt - performance.now()).toBeGreaterThan(9000);
});

test('C5: what is too large to share is read by each for himself, and nobody waits for the other', async () => {
  expect(SHARED_SEATS_MAX).toBe(20_000);
  const [first, other] = [new SharedCopies(frontrow.app.redis), new SharedCopies(frontrow.app.redis)];
  const read = (text: string) => () => Promise.resolve(text);
  const small = (text: string) => text.length <= 5;
  for (const [name, text, seen] of [['small', 'small', 'small'], ['large', 'larger', 'another']] as const) {
    expect(await first.one(name, read(text), small)).toBe(text);
    await eventually(() => frontrow.app.redis.exists(keys.sharedCopy(name)), 'the copy');
    expect(await other.one(name, read('another'), small)).toBe(seen);
  }
  // While another one reads it, too.
  const reading = Promise.withResolvers<string>();
  const slow = first.one('large', () => reading.promise, small);
  expect(await other.one('large', read('my own'), small)).toBe('my own');
  reading.resolve('larger');
  await slow;
});

test('C5: a copy of another version, or one that cannot be understood, is read as if there were none', async () => {
  const { redis } = frontrow.app;
  await redis.set('frontrow:{copies}:strange', serialize('of the version before'));
  expect(await new SharedCopies(redis).one('strange', () => Promise.resolve('read'))).toBe('read');
  await redis.set(keys.sharedCopy('strange'), Buffer.from([0xff, 0x0f, 0x99]));
  expect(await new SharedCopies(redis).one('strange', () => Promise.resolve('read anew'))).toBe('read anew');
});

test('C5: a date that cannot be read keeps none of the others from being warmed up, unless so many in turn cannot that none can', async () => {
  await frontrow.build.concert({ seats: 5, dates: FAILED_IN_TURN_MAX });
  const { transactions, redis, redisRun, pubsub, databaseSigns: signs, logger } = frontrow.app;
  const asked: string[] = [];
  class FailingBoard extends SeatBoard {
    constructor(private readonly fails: (place: number) => boolean) {
      super({ transactions, log: new SeatLog(redis, redisRun), shared: unshared(), pubsub, signs, lastKnown: new LastKnown(signs) });
    }

    override copyOf(id: string): ReturnType<SeatBoard['copyOf']> {
      asked.push(id);
      return this.fails(asked.length) ? Promise.reject(serviceUnavailable()) : super.copyOf(id);
    }
  }
  const all = await new WarmUp(transactions, boardOf(), logger).run();
  expect(await new WarmUp(transactions, new FailingBoard((place) => place === 1 || place === 3), logger).run()).toBe(all - 2);
  expect(asked).toHaveLength(all);
  asked.length = 0;
  expect(await new WarmUp(transactions, new FailingBoard(() => true), logger).run()).toBe(0);
  expect(asked).toHaveLength(FAILED_IN_TURN_MAX);
});
