import { jest } from '@jest/globals';
import { LastKnown } from '../../src/database/last-known.js';
import { ReadSet } from '../../src/domain/read-set.js';
import { DatabaseClock } from '../../src/services/database-clock.js';
import { SeatCounts } from '../../src/services/seat-counts.js';
import type { BuiltConcert } from '../support/builder.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** How many seats are left of dates whose seats nobody has asked for. */

let frontrow: Frontrow;
let concert: BuiltConcert;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['sold-is-confirmed'], because: 'seats get their statuses without reservations' } });
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: 20 });
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => frontrow.stop());

/** A reading that has read, and answers when the test says so. */
class SlowReading extends LastKnown {
  readonly hasRead = Promise.withResolvers<void>();
  before: Promise<void> = Promise.resolve();

  override async each<T>(...args: Parameters<LastKnown['each']>): Promise<(T | Error)[]> {
    const { before } = this;
    const found = await super.each(...args);
    this.hasRead.resolve();
    await before;
    return found as (T | Error)[];
  }
}
const reading = () => new SlowReading(frontrow.app.databaseSigns);
const countsOf = (lastKnown: LastKnown) => new SeatCounts(frontrow.app.transactions, new DatabaseClock(), lastKnown);

test('C5: a number that grows old while it is looked for is told all the same', async () => {
  const counts = countsOf(reading());
  expect(await counts.of([concert.scheduleId], true)).toEqual([20]);
  const now = performance.now();
  jest.spyOn(performance, 'now').mockReturnValueOnce(now).mockReturnValue(now + 60_000);
  expect(await counts.of([concert.scheduleId], true)).toEqual([20]);
});

test('C5: who is told a number of before a change keeps it no longer than that, though a newer one is known by then', async () => {
  const slow = reading();
  const counts = countsOf(slow);
  const goOn = Promise.withResolvers<void>();
  slow.before = goOn.promise;
  const [early, late] = [new ReadSet(), new ReadSet()];
  const first = counts.of([concert.scheduleId], true, early);
  await slow.hasRead.promise;
  await frontrow.app.transactions.fork().execute("update seat set status = 'SOLD', version = version + 1 where schedule_id = ? and number = 3", [concert.scheduleId], 'run');
  counts.change(concert.scheduleId);
  slow.before = Promise.resolve();
  expect(await counts.of([concert.scheduleId], true, late)).toEqual([19]);
  goOn.resolve();
  expect(await first).toEqual([20]);
  expect([early, late].map((reads) => reads.isCurrent(performance.now()))).toEqual([false, true]);
});
