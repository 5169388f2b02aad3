import { jest } from '@jest/globals';
import { MicroBatch } from '../../src/redis/micro-batch.js';

test('calls of one turn and key share one, in their order and at most so many; each gets its own result', async () => {
  const runs: [string, number[]][] = [];
  const batch = new MicroBatch<number, string>(async (key, items) => {
    runs.push([key, [...items]]);
    return items.map((item) => `${key}${item}`);
  }, 3);
  const asked = [1, 2, 3, 4].map((item) => batch.ask('a', item));
  const other = batch.ask('b', 5);
  expect(await Promise.all([...asked, other])).toEqual(['a1', 'a2', 'a3', 'a4', 'b5']);
  expect(await batch.ask('a', 6)).toBe('a6');
  expect(runs).toEqual([['a', [1, 2, 3]], ['a', [4]], ['b', [5]], ['a', [6]]]);
});

test('a call that fails fails those who share it, and nobody else', async () => {
  const batch = new MicroBatch<number, number>(async (key, items) => {
    if (key === 'bad') throw new Error('no');
    return items;
  }, 64);
  const asked = await Promise.allSettled([batch.ask('bad', 1), batch.ask('good', 2), batch.ask('bad', 3)]);
  expect(asked.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
  expect(await batch.ask('good', 4)).toBe(4);
});

test('one after the other: who comes while one runs shares the next', async () => {
  const runs: number[][] = [];
  let finish: () => void = () => undefined;
  const batch = new MicroBatch<number, number>(
    async (_key, items) => {
      runs.push([...items]);
      await new Promise<void>((resolve) => (finish = resolve));
      return items;
    },
    64,
    { oneAfterTheOther: true },
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const first = batch.ask('', 1);
  await turn();
  const others = [batch.ask('', 2)];
  await turn();
  others.push(batch.ask('', 3));
  await turn();
  expect(runs).toEqual([[1]]);
  finish();
  await first;
  await turn();
  expect(runs).toEqual([[1], [2, 3]]);
  finish();
  expect(await Promise.all(others)).toEqual([2, 3]);
});

afterEach(() => jest.useRealTimers());

test('every so often: who comes alone waits for nobody, a crowd shares what begins a little later', async () => {
  // Turns come by themselves, time passes when the test says so.
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  const everyMs = 30;
  const runs: { at: number; items: number[] }[] = [];
  const batch = new MicroBatch<number, number>(
    async (_key, items) => {
      runs.push({ at: performance.now(), items: [...items] });
      return items;
    },
    64,
    { everyMs },
  );
  expect(await batch.ask('', 1)).toBe(1);
  const crowd: Promise<number>[] = [];
  for (const item of [2, 3, 4]) {
    crowd.push(batch.ask('', item));
    await new Promise((resolve) => setImmediate(resolve));
    jest.advanceTimersByTime(everyMs / 4);
  }
  expect(runs).toHaveLength(1);
  jest.advanceTimersByTime(everyMs / 4);
  expect(await Promise.all(crowd)).toEqual([2, 3, 4]);
  expect(runs.map(({ items }) => items)).toEqual([[1], [2, 3, 4]]);
  expect(runs[1]!.at - runs[0]!.at).toBe(everyMs);
});
