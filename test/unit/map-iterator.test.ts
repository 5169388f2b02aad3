import { mapIterator } from '../../src/domain/map-iterator.js';

/** Messages that come when the test says so. */
function source() {
  const state = { returned: false };
  const waiting: ((result: IteratorResult<number>) => void)[] = [];
  const iterator: AsyncIterableIterator<number> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    return: async () => {
      state.returned = true;
      for (const resolve of waiting) resolve({ done: true, value: undefined });
      return { done: true, value: undefined };
    },
  };
  return { iterator, state, send: (value: number) => waiting.shift()!({ done: false, value }) };
}

test('each message is turned into another', async () => {
  const { iterator, send } = source();
  const turned = mapIterator(iterator, async (number) => `no ${number}`);
  const next = turned.next();
  send(1);
  expect(await next).toEqual({ done: false, value: 'no 1' });
});

test('stopping reaches the source even while no message comes', async () => {
  const { iterator, state } = source();
  const turned = mapIterator(iterator, async (number) => number);
  const next = turned.next();
  await turned.return!();
  expect(state.returned).toBe(true);
  expect(await next).toEqual({ done: true, value: undefined });
});

test('a source that fails is stopped, too: whatever it holds is let go', async () => {
  const { iterator, state } = source();
  const turned = mapIterator({ [Symbol.asyncIterator]: () => ({ ...iterator, next: () => Promise.reject(new Error('broken')) }) }, async (number: number) => number);
  await expect(turned.next()).rejects.toThrow('broken');
  expect(state.returned).toBe(true);
});

test('a message that cannot be turned is an error for the listener and stops the source', async () => {
  const { iterator, state, send } = source();
  const turned = mapIterator(iterator, () => Promise.reject(new Error('gone')));
  const next = turned.next();
  send(1);
  await expect(next).rejects.toThrow('gone');
  expect(state.returned).toBe(true);
  expect(await turned.next()).toEqual({ done: true, value: undefined });
});
