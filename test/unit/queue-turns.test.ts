import { jest } from '@jest/globals';
import { FAR_EVERY_MS, FarTurns, newlyWatched, type Watched } from '../../src/services/queue-watched.js';
import { Watcher } from '../../src/services/queue-watcher.js';

const TICK_MS = 200;
const HEARTBEAT_MS = 5000;
const PROMISED_MS = 10_000;
const crowd = (count: number): Map<string, Watched> =>
  new Map(Array.from({ length: count }, (_, index) => [`user-${index}`, newlyWatched(new Watcher(`user-${index}`, () => undefined), index)]));

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const tell = (those: Iterable<Watched>): number => {
  let count = 0;
  for (const watched of those) {
    watched.toldAt = performance.now();
    count += 1;
  }
  return count;
};

test('Q3: while a line moves all who are far back have their turn, spread over the ticks', () => {
  const watched = crowd(900);
  const turns = new FarTurns(watched);
  const told: number[] = [];
  for (let at = 0; at < FAR_EVERY_MS + TICK_MS; at += TICK_MS) {
    jest.advanceTimersByTime(TICK_MS);
    told.push(tell(turns.next()));
  }
  expect(Math.max(...told)).toBe((900 * TICK_MS) / FAR_EVERY_MS);
  expect([...watched.values()].filter(({ toldAt }) => toldAt === 0)).toEqual([]);
  expect(tell(turns.late())).toBeLessThan(100);
});

test('Q3: whenever a line moves, and however seldom, everybody is told within 10 s', () => {
  const watched = crowd(50);
  const turns = new FarTurns(watched);
  for (const one of watched.values()) one.toldAt = performance.now();
  /** When news came that each was not told yet. */
  const newsAt = new Map<Watched, number>();
  const hear = (those: Iterable<Watched>): void => {
    for (const one of those) {
      one.toldAt = performance.now();
      expect(performance.now() - (newsAt.get(one) ?? performance.now())).toBeLessThanOrEqual(PROMISED_MS);
      newsAt.delete(one);
    }
  };
  for (let tick = 0; tick < 1000; tick += 1) {
    jest.advanceTimersByTime(TICK_MS);
    // Bursts of moves, and long silences between them.
    if (tick % 37 < 3) {
      for (const one of watched.values()) if (!newsAt.has(one)) newsAt.set(one, performance.now());
      hear(turns.next());
    }
    if (tick % (HEARTBEAT_MS / TICK_MS) === 0) hear(turns.late());
    for (const at of newsAt.values()) expect(performance.now() - at).toBeLessThanOrEqual(PROMISED_MS);
  }
});
