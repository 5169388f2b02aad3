import { setImmediate } from 'node:timers/promises';
import { inParts } from '../../src/resolvers/in-parts.js';

test('a long list comes whole and in order, with turns of the event loop in between', async () => {
  const items = Array.from({ length: 5000 }, (_, index) => index);
  const seen: number[] = [];
  let finished = false;
  const all = Promise.all(inParts(items).map(async (item) => seen.push(await item))).finally(() => (finished = true));
  const atTurns: number[] = [];
  while (!finished) {
    await setImmediate();
    atTurns.push(seen.length);
  }
  await all;
  expect(seen).toEqual(items);
  expect(new Set(atTurns).size).toBeGreaterThanOrEqual(4);
});

test('a short list is handed on as it is', () => {
  const items = [1, 2, 3];
  expect(inParts(items)).toBe(items);
});
