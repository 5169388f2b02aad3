import { keys } from '../../src/redis/keys.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** BullMQ counts by the clocks of the processes: what one whose clock is wrong has set or put off keeps nobody waiting. */

const HOUR_MS = 3_600_000;
const EVERY_MS = 5000;
const SCHEDULE_ID = '00000000-0000-7000-8000-000000000001';
const RealDate = Date;
const setClockOff = (byMs: number): void => {
  globalThis.Date = new Proxy(RealDate, { get: (target, name) => (name === 'now' ? () => target.now() + byMs : (Reflect.get(target, name) as unknown)) });
};

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { ROLES: 'api' } });
});
afterEach(() => {
  globalThis.Date = RealDate;
});
afterAll(() => frontrow.stop());

test.each([
  ['an hour ahead', HOUR_MS, 0],
  ['right, beside one that is an hour behind', 0, -HOUR_MS],
])('a turn that was set by a process whose clock is %s is set anew by the others', async (_where, setOffMs, ownOffMs) => {
  const { jobs, redis } = frontrow.app;
  setClockOff(setOffMs);
  await jobs.schedule('sweep', EVERY_MS, {});
  // Its first turn is taken.
  await redis.del(`${keys.jobs()}:sweep:wait`);
  setClockOff(ownOffMs);
  await jobs.schedule('sweep', EVERY_MS, {});
  const nextAt = Number(await redis.zscore(`${keys.jobs()}:sweep:repeat`, 'sweep'));
  expect(nextAt - Date.now()).toBeLessThanOrEqual(EVERY_MS);
  expect((await redis.zcard(`${keys.jobs()}:sweep:delayed`)) + (await redis.llen(`${keys.jobs()}:sweep:wait`))).toBe(1);
});

test('a job that was put off by a clock that is an hour ahead is hurried by whoever misses its work', async () => {
  const { jobs, redis } = frontrow.app;
  await jobs.addDelayed('cancellation', SCHEDULE_ID, { scheduleId: SCHEDULE_ID }, HOUR_MS);
  await jobs.addDelayed('cancellation', SCHEDULE_ID, { scheduleId: SCHEDULE_ID }, 0);
  expect(await redis.zcard(`${keys.jobs()}:cancellation:delayed`)).toBe(1);
  await jobs.hurry('cancellation', SCHEDULE_ID, { scheduleId: SCHEDULE_ID });
  expect(await redis.zcard(`${keys.jobs()}:cancellation:delayed`)).toBe(0);
  expect(await redis.lrange(`${keys.jobs()}:cancellation:wait`, 0, -1)).toContain(SCHEDULE_ID);
});
