import { jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Patience } from '../../src/server/patience.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Those who have been found to wait too long so far. */
function waiting(patience: Patience, names: readonly string[]) {
  const late: string[] = [];
  const waiters = names.map((name) => patience.start(() => late.push(name)));
  return { late, waiters };
}

test('whoever waits too long is told once, in the order in which they came, and never before the time is over', () => {
  const patience = new Patience(20);
  const { late } = waiting(patience, ['a', 'b', 'c']);
  jest.advanceTimersByTime(19);
  expect(late).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(late).toEqual(['a', 'b', 'c']);
  const later = waiting(patience, ['d']);
  jest.advanceTimersByTime(20);
  expect([late, later.late]).toEqual([['a', 'b', 'c'], ['d']]);
});

test('whoever was answered is not told, wherever they stand; those who come later wait as long as the others', () => {
  const patience = new Patience(20);
  const ended = waiting(patience, ['first', 'kept', 'middle', 'last']);
  for (const index of [0, 2, 3]) patience.end(ended.waiters[index]!);
  jest.advanceTimersByTime(10);
  const after = waiting(patience, ['after']);
  jest.advanceTimersByTime(19);
  expect([ended.late, after.late]).toEqual([['kept'], []]);
  jest.advanceTimersByTime(1);
  expect([ended.late, after.late]).toEqual([['kept'], ['after']]);
  const none = waiting(patience, ['one', 'two']);
  for (const waiter of none.waiters) patience.end(waiter);
  const last = waiting(patience, ['x']);
  jest.advanceTimersByTime(20);
  expect([none.late, last.late]).toEqual([[], ['x']]);
});

test('who has stood in a line waits no longer than those who came when they did', () => {
  const patience = new Patience(200);
  const late: string[] = [];
  const from = performance.now();
  patience.start(() => late.push('came later'));
  patience.start(() => late.push('came before'), from - 100);
  const between = patience.start(() => late.push('answered'), from - 50);
  patience.start(() => late.push('came first'), from - 150);
  patience.end(between);
  const lateAt = [49, 50, 99, 100, 199, 200].map((ms) => {
    jest.advanceTimersByTime(ms - (performance.now() - from));
    return [...late];
  });
  const [first, before, later] = [['came first'], ['came first', 'came before'], ['came first', 'came before', 'came later']];
  expect(lateAt).toEqual([[], first, first, before, before, later]);
});

/** In a process of its own: what a timer throws ends a test. */
const FAILING = `
  const { Patience } = await import('./src/server/patience.ts');
  process.on('uncaughtException', ({ message }) => console.log(message));
  const keptAlive = setTimeout(() => {}, 10_000);
  const patience = new Patience(20);
  patience.start(() => { throw new Error('broken'); });
  patience.start(() => (console.log('behind it'), clearTimeout(keptAlive)));
`;

test('one whose end fails leaves those behind it watched over', async () => {
  jest.useRealTimers();
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', FAILING]);
  expect(stdout).toBe('broken\nbehind it\n');
});
