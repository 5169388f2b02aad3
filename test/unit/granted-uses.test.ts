import { GRANTED_MS, GRANTED_SHARE, GrantedUses } from '../../src/redis/granted-uses.js';

const MAX = 200;
const WINDOW_MS = 10_000;
const useAll = (grants: GrantedUses, now: number): number => {
  let uses = 0;
  for (; grants.has('a', now); uses += 1) grants.use('a');
  return uses;
};

test('a process gives a tenth of what is left, for a second at most, and never beyond the window', () => {
  const grants = new GrantedUses(MAX);
  expect(grants.has('a', 0)).toBe(false);
  grants.learn('a', 1, WINDOW_MS, 0);
  expect(grants.has('a', GRANTED_MS)).toBe(false);
  expect(useAll(grants, GRANTED_MS - 1)).toBe(Math.floor((MAX - 1) * GRANTED_SHARE));
  expect(grants.has('b', 0)).toBe(false);
  grants.take('a', 0);
  grants.learn('a', 100, 5, 0);
  expect(grants.has('a', 5)).toBe(false);
  expect(useAll(grants, 4)).toBe(10);
});

test('what it has given and not told is not left', () => {
  const grants = new GrantedUses(MAX);
  grants.learn('a', 1, WINDOW_MS, 0);
  const untold = useAll(grants, 0);
  grants.learn('a', 100, WINDOW_MS, 0);
  expect(useAll(grants, 0)).toBe(Math.floor((MAX - 100 - untold) * GRANTED_SHARE));
});

test('of less than ten it gives none, and of what is over neither', () => {
  const grants = new GrantedUses(MAX);
  for (const counted of [MAX - 9, MAX, MAX + 50]) {
    grants.learn('a', counted, WINDOW_MS, 0);
    expect(grants.has('a', 0)).toBe(false);
  }
});

test('what was used is told once, whatever comes in between', () => {
  const grants = new GrantedUses(MAX);
  grants.learn('a', 1, WINDOW_MS, 0);
  const used = useAll(grants, 0);
  grants.learn('a', 2, WINDOW_MS, 0);
  grants.use('a');
  expect(grants.take('a', 0)).toBe(used + 1);
  expect(grants.take('a', 0)).toBe(0);
  grants.putBack('a', used + 1);
  expect(grants.takeAll(0)).toEqual([{ subject: 'a', uses: used + 1 }]);
  expect(grants.takeAll(0)).toEqual([]);
});

test('uses of a window that has ended are not counted in the next', () => {
  const grants = new GrantedUses(MAX);
  grants.learn('a', 1, 500, 0);
  useAll(grants, 0);
  expect(grants.takeAll(500)).toEqual([]);
});
