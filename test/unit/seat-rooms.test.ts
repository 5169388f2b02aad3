import { jest } from '@jest/globals';
import { queueTokenExpired, serviceUnavailable } from '../../src/domain/errors.js';
import type { Outlet } from '../../src/domain/outlet.js';
import { SeatSnapshot } from '../../src/domain/seat-snapshot.js';
import type { SeatStatus } from '../../src/domain/states.js';
import type { SeatCopy } from '../../src/services/seat-copies.js';
import { CHANGES_TOLD_MAX, changesOf, GATHER_MAX_MS, GATHER_MS, gatherMs, GROUP_FIRST_MAX, GROUPS, SeatRooms, type SeatsEvent } from '../../src/services/seat-rooms.js';

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
const gather = (rooms: SeatRooms): void => {
  for (let turn = 0; turn < GROUPS; turn += 1) rooms.tellNext();
};
const taken = async (watcher: AsyncIterator<SeatsEvent>): Promise<SeatsEvent> => (await watcher.next()).value as SeatsEvent;

test('C7: watchers of a date are given the same object; several changes of a seat are one, as it is at the end', async () => {
  const rooms = new SeatRooms(() => undefined);
  const copy = date();
  const [first, second] = [rooms.enter(copy, null, allowed), rooms.enter(copy, null, allowed)];
  for (const status of ['HELD', 'AVAILABLE', 'SOLD'] as const) {
    copy.change(3, status);
    rooms.note(copy, [3]);
  }
  gather(rooms);
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
    gather(rooms);
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
  gather(rooms);
  rooms.note(copy, null);
  gather(rooms);
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
  gather(rooms);
  await Promise.resolve();
  expect(rooms.isWatched('date')).toBe(true);
  gather(rooms);
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
  gather(rooms);
  rooms.note(copy, [CHANGES_TOLD_MAX + 1]);
  gather(rooms);
  expect(await taken(slow)).toEqual({ sequence: 'e.0', changes: [], resync: true });
  rooms.note(copy, numbersTo(CHANGES_TOLD_MAX));
  gather(rooms);
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
    gather(rooms);
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

test('C7: thousands are told in turns, each once in a gathering, and each of every change since the turn before', async () => {
  expect([GROUPS, GROUP_FIRST_MAX]).toEqual([3, 1000]);
  jest.useFakeTimers();
  const rooms = new SeatRooms(() => undefined);
  const copy = date();
  const count = 2 * GROUPS * GROUP_FIRST_MAX;
  const told = Array.from({ length: count }, () => [] as { at: number; numbers: number[] }[]);
  const watchers = told.map((events) => {
    const watcher = rooms.enter(copy, null, allowed);
    (watcher as unknown as Outlet<SeatsEvent>).deliverTo(({ changes }) => void events.push({ at: performance.now(), numbers: changes.map(({ number }) => number) }));
    void watcher.next();
    return watcher;
  });
  const turnMs = gatherMs(count) / GROUPS;
  for (let number = 1; number <= SEATS; number += 1) {
    copy.change(number, 'SOLD');
    rooms.note(copy, [number]);
    jest.advanceTimersByTime(turnMs);
  }
  jest.advanceTimersByTime(GROUPS * turnMs);
  jest.useRealTimers();
  const turns = Map.groupBy(told, ([first]) => first!.at);
  expect([...turns.values()].map(({ length }) => length)).toEqual(Array.from({ length: GROUPS }, () => count / GROUPS));
  for (const events of told) {
    expect(events.flatMap(({ numbers }) => numbers)).toEqual(numbersTo(SEATS));
    for (const [index, { at }] of events.entries()) if (index > 0) expect(at - events[index - 1]!.at).toBe(gatherMs(count));
  }
  await Promise.all(watchers.map((watcher) => watcher.return!()));
  expect(rooms.isWatched('date')).toBe(false);
});
