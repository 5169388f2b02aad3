import { setImmediate as nextTurn } from 'node:timers/promises';
import { BEGUN_PER_TURN_MAX, IN_LINE_MAX, Turns } from '../../src/server/turns.js';

/** Takes so many, numbered from `from` on; those that have begun are in the list. */
function takeAll(turns: Turns, begun: number[], count: number, from = 0): void {
  for (let index = from; index < from + count; index += 1) turns.take(() => (begun.push(index), true));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('who comes alone begins at once, and so does who comes in a later turn', async () => {
  const turns = new Turns();
  const begun: number[] = [];
  takeAll(turns, begun, 1);
  expect(begun).toEqual([0]);
  await nextTurn();
  takeAll(turns, begun, BEGUN_PER_TURN_MAX, 1);
  expect(begun).toEqual(upTo(BEGUN_PER_TURN_MAX + 1));
});

test('of a crowd only so many begin in one turn, all in the order in which they came', async () => {
  const turns = new Turns();
  const begun: number[] = [];
  takeAll(turns, begun, 2 * BEGUN_PER_TURN_MAX + 1);
  expect(begun).toEqual(upTo(BEGUN_PER_TURN_MAX));
  await nextTurn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN_MAX));
  await nextTurn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN_MAX + 1));
});

test('who comes while others wait stands behind them', async () => {
  const turns = new Turns();
  const begun: number[] = [];
  takeAll(turns, begun, 2 * BEGUN_PER_TURN_MAX);
  await nextTurn();
  takeAll(turns, begun, 1, 2 * BEGUN_PER_TURN_MAX);
  expect(begun).toHaveLength(2 * BEGUN_PER_TURN_MAX);
  await nextTurn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN_MAX + 1));
});

test('who has nothing to begin any more takes up no room, and who comes after them begins in the same turn', async () => {
  const turns = new Turns();
  const begun: number[] = [];
  takeAll(turns, begun, BEGUN_PER_TURN_MAX);
  for (let times = 0; times < 2 * BEGUN_PER_TURN_MAX; times += 1) turns.take(() => false);
  takeAll(turns, begun, BEGUN_PER_TURN_MAX + 1, BEGUN_PER_TURN_MAX);
  await nextTurn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN_MAX));
  await nextTurn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN_MAX + 1));
  await nextTurn();
  takeAll(turns, begun, 1, 2 * BEGUN_PER_TURN_MAX + 1);
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN_MAX + 2));
});

test('so many wait, and whoever comes then is turned away until there is room again', async () => {
  const turns = new Turns();
  const begun: number[] = [];
  takeAll(turns, begun, BEGUN_PER_TURN_MAX + IN_LINE_MAX - 1);
  const last = BEGUN_PER_TURN_MAX + IN_LINE_MAX - 1;
  expect(turns.take(() => (begun.push(last), true))).toBe(true);
  expect(turns.take(() => (begun.push(-1), true))).toBe(false);
  await nextTurn();
  expect(turns.take(() => (begun.push(last + 1), true))).toBe(true);
  while (begun.length < last + 2) await nextTurn();
  expect(begun).toEqual(upTo(last + 2));
});
