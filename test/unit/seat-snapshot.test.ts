import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ReadSet } from '../../src/domain/read-set.js';
import type { SeatChange } from '../../src/domain/seat-change.js';
import { SeatSnapshot, type SeatFilter, type StoredSeat } from '../../src/domain/seat-snapshot.js';
import { SEAT_STATUSES, type SeatStatus } from '../../src/domain/states.js';

const stored = (number: number, more: Partial<StoredSeat> = {}): StoredSeat => ({
  id: `seat-${number}`, number, section: number <= 5 ? 'Floor' : 'Balcony', row: '1', grade: 'R', price: 100, status: 'AVAILABLE', version: 0, heldUntil: null, ...more,
});
const change = (number: number, status: SeatStatus, version: number, heldUntil: number | null = null): SeatChange => ({
  number, status, version, heldUntil: heldUntil === null ? null : new Date(heldUntil),
});
const of = (seats: StoredSeat[], now = 0): SeatSnapshot => {
  const snapshot = new SeatSnapshot();
  snapshot.load(seats, now);
  return snapshot;
};
const ten = () => Array.from({ length: 10 }, (_, index) => stored(index + 1));
const all: SeatFilter = { status: null, section: null, first: null, afterNumber: null };
const statuses = (snapshot: SeatSnapshot) => snapshot.seats(all).map(({ status }) => status);

test('C5: the higher version wins, in whatever order and however often it comes, by a change or by reading everything', () => {
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below;
  for (let round = 0; round < 200; round += 1) {
    const history = Array.from({ length: 10 }, (_, index) =>
      Array.from({ length: 1 + random(5) }, (_unused, version) => change(index + 1, SEAT_STATUSES[random(3)]!, version + 1, 1000)),
    );
    const readingAt = (): StoredSeat[] =>
      ten().map((seat, index) => {
        const seen = history[index]![random(history[index]!.length)]!;
        return { ...seat, status: seen.status, version: seen.version, heldUntil: seen.heldUntil?.getTime() ?? null };
      });
    const acts = [...history.flat(), ...history.flat()].sort(() => random(3) - 1);
    const snapshot = of(ten());
    for (const act of acts) {
      snapshot.apply([act], 0);
      if (random(5) === 0) snapshot.load(readingAt(), 0);
    }
    expect(statuses(snapshot)).toEqual(history.map((seat) => seat.at(-1)!.status));
    expect(snapshot.available).toBe(history.filter((seat) => seat.at(-1)!.status === 'AVAILABLE').length);
    snapshot.settle(1000);
    expect(snapshot.available).toBe(history.filter((seat) => seat.at(-1)!.status !== 'SOLD').length);
  }
});

test('C5: what the version before of the product has written, without raising versions, is seen by reading everything', () => {
  const snapshot = of(ten());
  expect(snapshot.load(ten().map((seat) => (seat.number === 3 ? { ...seat, status: 'SOLD' } : seat)), 0)).toEqual([3]);
  expect(snapshot.statusOf(3)).toBe('SOLD');
});

test('C5: a hold counts until its end by the clock, is told of once, and what comes after counts again', () => {
  const snapshot = of([stored(1), stored(2, { status: 'HELD', version: 1, heldUntil: 500 }), stored(3, { status: 'HELD', version: 1, heldUntil: 100 })], 200);
  expect(statuses(snapshot)).toEqual(['AVAILABLE', 'HELD', 'AVAILABLE']);
  expect([snapshot.available, snapshot.changesAt, [...snapshot.overdue]]).toEqual([2, 500, [3]]);
  const { version } = snapshot;
  expect(snapshot.settle(499)).toEqual([]);
  expect(snapshot.version).toBe(version);
  expect(snapshot.settle(500)).toEqual([2]);
  expect(snapshot.version).toBeGreaterThan(version);
  expect(snapshot.settle(501)).toEqual([]);
  expect(snapshot.apply([change(2, 'AVAILABLE', 2)], 600)).toEqual([]);
  expect([...snapshot.overdue]).toEqual([3]);
  expect(snapshot.apply([change(3, 'HELD', 2, 900)], 600)).toEqual([3]);
  expect([...snapshot.overdue]).toEqual([]);
  expect(snapshot.apply([change(3, 'SOLD', 3)], 600)).toEqual([3]);
  expect(snapshot.settle(1000)).toEqual([]);
  expect(statuses(snapshot)).toEqual(['AVAILABLE', 'AVAILABLE', 'SOLD']);
});

test('C5: other seats replace the ones before; one known newer keeps what is known', () => {
  const snapshot = of(ten());
  snapshot.apply([change(4, 'SOLD', 3)], 0);
  expect(snapshot.load(ten().filter(({ number }) => number !== 9).map((seat) => ({ ...seat, price: 200 })), 0)).toBeNull();
  expect([snapshot.size, snapshot.statusOf(9), snapshot.statusOf(4), snapshot.statusOf(10)]).toEqual([9, null, 'SOLD', 'AVAILABLE']);
  expect(snapshot.apply([change(9, 'SOLD', 5)], 0)).toEqual([]);
});

test('C5: a price that changes is seen, and raises the version for who keeps an answer', () => {
  const snapshot = of(ten());
  const { version } = snapshot;
  expect(snapshot.load(ten().map((seat) => ({ ...seat, price: 300 })), 0)).toEqual([]);
  expect(snapshot.version).toBeGreaterThan(version);
  expect(snapshot.seats(all).every(({ price }) => price === 300)).toBe(true);
});

test('C5: an answer that was taken stays as it was', () => {
  const snapshot = of(ten());
  const answer = snapshot.seats(all);
  snapshot.apply([change(1, 'SOLD', 1)], 0);
  expect(answer[0]!.status).toBe('AVAILABLE');
});

test('C2: filters find what going through all seats finds', () => {
  const snapshot = of(ten().filter(({ number }) => number !== 4));
  snapshot.apply([change(2, 'SOLD', 1), change(7, 'HELD', 1, 1000)], 0);
  const rows = snapshot.seats(all);
  for (const status of [null, ...SEAT_STATUSES]) {
    for (const section of [null, 'Floor', 'Balcony', 'Roof']) {
      for (const first of [null, 1, 3, 100]) {
        for (const afterNumber of [null, 0, 3, 4, 6, 10]) {
          const expected = rows.filter((row) => (!status || row.status === status) && (!section || row.section === section) && row.number > (afterNumber ?? 0));
          expect(snapshot.seats({ status, section, first, afterNumber })).toEqual(expected.slice(0, first ?? undefined));
        }
      }
    }
  }
});

test('C5: however often seats are held and given back, their holds end when they end', () => {
  const snapshot = of(ten());
  for (let version = 1; version <= 500; version += 1) {
    for (const seat of [1, 2, 3]) snapshot.apply([change(seat, version % 2 === 1 ? 'HELD' : 'AVAILABLE', version, 10_000 + version)], 0);
  }
  snapshot.apply([change(1, 'HELD', 501, 500), change(2, 'HELD', 501, 700)], 0);
  expect(snapshot.changesAt).toBe(500);
  expect(snapshot.settle(600)).toEqual([1]);
  expect(snapshot.settle(20_000)).toEqual([2]);
  expect(snapshot.available).toBe(10);
  expect(snapshot.changesAt).toBe(Infinity);
});

const COLLECTIONS = 5;

test('C5: an answer that is kept knows of a change, and keeps none of the seats in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const [answer, changed] = [new ReadSet(), new ReadSet()];
  const gone = ((): WeakRef<SeatSnapshot> => {
    const snapshot = of(ten());
    answer.depend(snapshot.source);
    changed.depend(snapshot.source);
    expect(answer.isCurrent(0)).toBe(true);
    snapshot.apply([change(1, 'SOLD', 1)], 0);
    return new WeakRef(snapshot);
  })();
  // A weak reference is held until the turn of the process is over, and a collection that was under way before ends with what it knew then.
  for (let turn = 0; turn < COLLECTIONS && gone.deref(); turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  expect(gone.deref()).toBeUndefined();
  expect([answer, changed].map((reads) => reads.isCurrent(0))).toEqual([false, false]);
});
