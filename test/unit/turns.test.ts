import { setImmediate as nextTurn } from 'node:timers/promises';
import { BEGUN_PER_TURN_MAX, Turns } from '../../src/server/turns.js';

/** Takes so many, numbered from `from` on; those that have begun are in the list. */
function takeAll(turns: Turns, begun: number[], count: number, from = 0): void {
  for (let index = from; index < from + count; index += 1) turns.take(() => begun.push(index));
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
