import { NoAnswer, remainingMs, withDeadline } from '../../src/domain/deadline.js';
import { BriefMemo } from '../../src/services/brief-memo.js';

const counting = (maxAgeMs: number, sizeMax = 10) => {
  const asked: string[] = [];
  return { asked, memo: new BriefMemo(async (key: string) => (asked.push(key), `${key} ${asked.length}`), maxAgeMs, sizeMax) };
};

test('a crowd that asks the same at once is one question', async () => {
  const { asked, memo } = counting(60_000);
  const answers = await Promise.all(Array.from({ length: 100 }, () => memo.get('a')));
  expect(new Set(answers)).toEqual(new Set(['a 1']));
  expect(asked).toEqual(['a']);
});

test('an answer that is too old is given once more while it is asked for again, and refresh waits for the new one', async () => {
  const { asked, memo } = counting(0);
  expect(await memo.get('a')).toBe('a 1');
  expect(await memo.get('a')).toBe('a 1');
  expect(asked).toHaveLength(2);
  expect(await memo.get('a')).toBe('a 2');
  expect(await memo.refresh('a')).toBe('a 4');
});

test('while the answer cannot be asked for again the old one is still given', async () => {
  let failing = false;
  const memo = new BriefMemo(async () => (failing ? Promise.reject(new Error('away')) : 'known'), 0, 10);
  await memo.get('a');
  failing = true;
  expect(await memo.get('a')).toBe('known');
  expect(await memo.get('a')).toBe('known');
});

test('it remembers a bounded number of answers, the latest', async () => {
  const { asked, memo } = counting(60_000, 2);
  for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await memo.get(key);
  expect(asked).toEqual(['a', 'b', 'c', 'a']);
});

test('a failure is told to those who wait and then forgotten', async () => {
  let failing = true;
  const memo = new BriefMemo(async () => (failing ? Promise.reject(new Error('away')) : 'back'), 60_000, 10);
  const waiting = [memo.get('a'), memo.get('a')];
  for (const one of waiting) await expect(one).rejects.toThrow('away');
  failing = false;
  expect(await memo.get('a')).toBe('back');
});

test('a question that others share does not end with the deadline of whoever asked first', async () => {
  const left: number[] = [];
  const memo = new BriefMemo(async () => left.push(remainingMs()), 0, 10);
  await withDeadline(1000, () => memo.get('a'));
  await withDeadline(1000, () => memo.get('a'));
  expect(left).toEqual([Infinity, Infinity]);
});

test('each waits only as long as there is time: what came too late is told to those who have more', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const memo = new BriefMemo(() => promise, 60_000, 10);
  const [hurried, patient] = [withDeadline(20, () => memo.get('a')), memo.get('a')];
  await expect(hurried).rejects.toBeInstanceOf(NoAnswer);
  await expect(withDeadline(0, () => memo.refresh('b'))).rejects.toBeInstanceOf(NoAnswer);
  resolve('late');
  expect(await patient).toBe('late');
});
