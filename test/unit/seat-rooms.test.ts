import { jest } from '@jest/globals';
import { queueTokenExpired, serviceUnavailable } from '../../src/domain/errors.js';
import { SeatSnapshot } from '../../src/domain/seat-snapshot.js';
import type { SeatStatus } from '../../src/domain/states.js';
import type { SeatCopy } from '../../src/services/seat-copies.js';
import { CHANGES_TOLD_MAX, changesOf, GATHER_MAX_MS, GATHER_MS, gatherMs, SeatRooms, type SeatsEvent } from '../../src/services/seat-rooms.js';

const SEATS = 20;

function date(seats = SEATS): SeatCopy & { change(number: number, status: SeatStatus): void } {
  const snapshot = new SeatSnapshot();
  snapshot.load(Array.from({ length: seats }, (_, index) => ({ id: String(index), number: index + 1, section: 'A', row: '1', grade: 'R', price: 1, status: 'AVAILABLE' as const, version: 0, heldUntil: null })), 0);
  const copy = {
    scheduleId: 'date', snapshot, epoch: 'e', sequence: 0, recent: [], checkAt: 0, reloadAt: 0, costMs: 0, turn: 0, loaded: 0, refreshing: null,
    change: (number: number, status: SeatStatus) => {
      copy.sequence += 1;
      snapshot.apply([{ number, status, version: copy.sequence, heldUntil: null }], 0);
    },
  };
  return copy;
}

const allowed = () => Promise.resolve();
const taken = async (watcher: AsyncIterator<SeatsEvent>): Promise<SeatsEvent> => (await watcher.next()).value as SeatsEvent;

test('C7: all watchers of a date are given the same object; several changes of a seat are one, as it is at the end', async () => {
  const rooms = new SeatRooms(() => undefined);
  const copy = date();
  const [first, second] = [rooms.enter(copy, null, allowed), rooms.enter(copy, null, allowed)];
  for (const status of ['HELD', 'AVAILABLE', 'SOLD'] as const) {
    copy.change(3, status);
    rooms.note(copy, [3]);
  }
  rooms.gather();
  const event = await taken(first);
  expect(event).toEqual({ sequence: 'e.3', changes: [{ number: 3, status: 'SOLD' }], resync: false });
  expect(await taken(second)).toBe(event);
  await first.return!();
  await second.return!();
  expect(rooms.isWatched('date')).toBe(false);
});

test('C7: who reads slowly is given what has gathered in one event, never more than the date has seats, and ends with the map as it is', async () => {
  const rooms = new SeatRooms(() => undefined);
  const copy = date();
  const slow = rooms.enter(copy, null, allowed);
  for (let round = 0; round < 500; round += 1) {
    const number = 1 + (round % SEATS);
    copy.change(number, round % 3 === 0 ? 'SOLD' : 'HELD');
    rooms.note(copy, [number]);
    rooms.gather();
  }
  const { sequence, changes } = await taken(slow);
  expect(sequence).toBe('e.500');
  expect(changes).toHaveLength(SEATS);
  for (const { number, status } of changes) expect(status).toBe(copy.snapshot.statusOf(number));
  await slow.return!();
});

test('C7: a reading of everything replaces what has gathered', async () => {
  const rooms = new SeatRooms(() => undefined);
  const copy = date();
  const slow = rooms.enter(copy, null, allowed);
  copy.change(1, 'SOLD');
  rooms.note(copy, [1]);
  rooms.gather();
  rooms.note(copy, null);
  rooms.gather();
  expect(await taken(slow)).toEqual({ sequence: 'e.1', changes: [], resync: true });
  await slow.return!();
});

test('C7: whoever may no longer watch is told why and ends; a store that is away ends nobody', async () => {
  const rooms = new SeatRooms(() => undefined, 0);
  const copy = date();
  const answers = [serviceUnavailable(), queueTokenExpired()];
  let asked = 0;
  const watcher = rooms.enter(copy, null, () => Promise.reject(answers[(asked += 1) - 1]!));
  const next = watcher.next();
  rooms.gather();
  await Promise.resolve();
  expect(rooms.isWatched('date')).toBe(true);
  rooms.gather();
  await expect(next).rejects.toMatchObject({ code: 'QUEUE_TOKEN_EXPIRED' });
  expect(await watcher.next()).toEqual({ done: true, value: undefined });
  expect(rooms.isWatched('date')).toBe(false);
});

const numbersTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test('C7: more than CHANGES_TOLD_MAX seats at once are told as a map to read again: missed, gathered, or not taken yet', async () => {
  expect(CHANGES_TOLD_MAX).toBe(10_000);
  const rooms = new SeatRooms(() => undefined);
  const copy = date(CHANGES_TOLD_MAX + 1);
  expect(changesOf(copy, numbersTo(CHANGES_TOLD_MAX)).changes).toHaveLength(CHANGES_TOLD_MAX);
  expect(changesOf(copy, numbersTo(CHANGES_TOLD_MAX + 1))).toEqual({ sequence: 'e.0', changes: [], resync: true });
  const slow = rooms.enter(copy, changesOf(copy, numbersTo(CHANGES_TOLD_MAX)), allowed);
  rooms.note(copy, [1]);
  rooms.gather();
  rooms.note(copy, [CHANGES_TOLD_MAX + 1]);
  rooms.gather();
  expect(await taken(slow)).toEqual({ sequence: 'e.0', changes: [], resync: true });
  rooms.note(copy, numbersTo(CHANGES_TOLD_MAX));
  rooms.gather();
  expect((await taken(slow)).changes).toHaveLength(CHANGES_TOLD_MAX);
  await slow.return!();
});

test('C7: what a slow watcher has not taken is not gone through again with each change', async () => {
  const rooms = new SeatRooms(() => undefined);
  const copy = date(1000);
  const slow = rooms.enter(copy, changesOf(copy, numbersTo(1000)), allowed);
  const written = jest.spyOn(Map.prototype, 'set');
  for (let round = 0; round < 100; round += 1) {
    rooms.note(copy, [1 + round]);
    rooms.gather();
  }
  const times = written.mock.calls.length;
  written.mockRestore();
  expect(times).toBe(1000 + 100);
  expect((await taken(slow)).changes).toHaveLength(1000);
  await slow.return!();
});

test('C7: changes gather for longer the more there are to be told, and never for very long', () => {
  expect([1, 1000, 3000].map(gatherMs)).toEqual([GATHER_MS, GATHER_MS, GATHER_MS]);
  expect(gatherMs(5000)).toBe(150);
  expect(gatherMs(1_000_000)).toBe(GATHER_MAX_MS);
});
