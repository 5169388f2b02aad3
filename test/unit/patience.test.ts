import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Patience } from '../../src/server/patience.js';

/** Resolves when so many have been found to wait too long, with who they were. */
function waiting(patience: Patience, names: readonly string[]) {
  const late: string[] = [];
  const all = Promise.withResolvers<void>();
  const waiters = names.map((name) =>
    patience.start(() => {
      late.push(name);
      if (late.length === names.length) all.resolve();
    }),
  );
  return { late, all: all.promise, waiters };
}

test('whoever waits too long is told once, in the order in which they came, and never before the time is over', async () => {
  const patience = new Patience(20);
  const from = performance.now();
  const { late, all } = waiting(patience, ['a', 'b', 'c']);
  await all;
  expect(performance.now() - from).toBeGreaterThanOrEqual(19);
  expect(late).toEqual(['a', 'b', 'c']);
  const later = waiting(patience, ['d']);
  await later.all;
  expect(late).toEqual(['a', 'b', 'c']);
});

test('whoever was answered is not told, wherever they stand; those who come later wait as long as the others', async () => {
  const patience = new Patience(20);
  const ended = waiting(patience, ['first', 'kept', 'middle', 'last']);
  for (const index of [0, 2, 3]) patience.end(ended.waiters[index]!);
  const from = performance.now();
  const after = waiting(patience, ['after']);
  await after.all;
  expect(performance.now() - from).toBeGreaterThanOrEqual(19);
  expect(ended.late).toEqual(['kept']);
  const none = waiting(patience, ['one', 'two']);
  for (const waiter of none.waiters) patience.end(waiter);
  const last = waiting(patience, ['x']);
  await last.all;
  expect(none.late).toEqual([]);
});

test('who has stood in a line waits no longer than those who came when they did', async () => {
  const patience = new Patience(200);
  const late: string[] = [];
  const last = Promise.withResolvers<void>();
  const from = performance.now();
  patience.start(() => (late.push('came later'), last.resolve()));
  patience.start(() => late.push('came before'), from - 100);
  const between = patience.start(() => late.push('answered'), from - 50);
  const both = Promise.withResolvers<number>();
  patience.start(() => (late.push('came first'), both.resolve(performance.now() - from)), from - 150);
  patience.end(between);
  expect(await both.promise).toBeLessThan(100);
  await last.promise;
  expect(late).toEqual(['came first', 'came before', 'came later']);
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
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', FAILING]);
  expect(stdout).toBe('broken\nbehind it\n');
});
