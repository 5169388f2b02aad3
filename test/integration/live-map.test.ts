import type { Client } from 'graphql-ws';
import { randomUUID } from 'node:crypto';
import type { SeatChange } from '../../src/domain/seat-change.js';
import type { SeatStatus } from '../../src/domain/states.js';
import { keys } from '../../src/redis/keys.js';
import { Script } from '../../src/redis/script.js';
import { SEAT_LOG_ENTRIES } from '../../src/redis/seat-log.js';
import { SeatMapDocument, WatchSeatsDocument } from '../graphql/operations.js';
import { changedBehind } from '../support/behind.js';
import type { AdmittedBuyer, BuiltConcert } from '../support/builder.js';
import { websocketClient, type Credentials } from '../support/client.js';
import { collect } from '../support/collect.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';

/** Two instances; changes are committed on either, as a reservation would. */

let frontrow: Frontrow;
let concert: BuiltConcert;
let buyer: AdmittedBuyer;
const SEATS = 40;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, brokenOnPurpose: { invariants: ['sold-is-confirmed', 'held-is-reserved'], because: 'seats get their statuses without reservations' } });
});
beforeEach(async () => {
  concert = await frontrow.build.concert({ seats: SEATS });
  buyer = await frontrow.build.admittedBuyer(concert.id);
});
afterAll(() => frontrow.stop());

const boardOf = (instance: number) => frontrow.instances[instance]!.app.board;
const sockets: Client[] = [];
afterEach(async () => {
  await Promise.all(sockets.splice(0).map((socket) => socket.dispose()));
});

/** Written, and not told yet. */
async function write(status: SeatStatus, numbers: number[], heldForMs = 60_000): Promise<SeatChange[]> {
  const em = frontrow.app.transactions.fork();
  const until = status === 'HELD' ? `sysdate(3) + interval ${heldForMs * 1000} microsecond` : 'null';
  await em.execute(`update seat set status = ?, version = version + 1, held_until = ${until} where schedule_id = ? and number in (?)`, [status, concert.scheduleId, numbers], 'run');
  const rows = await em.execute<{ number: number; version: number; until: string | null }[]>(
    "select number, version, timestampdiff(microsecond, '1970-01-01', held_until) div 1000 as until from seat where schedule_id = ? and number in (?)",
    [concert.scheduleId, numbers],
  );
  return rows.map(({ number, version, until: ends }) => ({ number, status, version, heldUntil: ends === null ? null : new Date(Number(ends)) }));
}
const tell = (instance: number, seats: SeatChange[]) => boardOf(instance).tell([{ concertId: concert.id, scheduleId: concert.scheduleId, seats }]);
const change = async (instance: number, status: SeatStatus, numbers: number[], heldForMs?: number) => tell(instance, await write(status, numbers, heldForMs));

async function mapOf(instance = 0) {
  const { data } = await frontrow.client(instance).run(SeatMapDocument, { scheduleId: concert.scheduleId }, buyer);
  return data!.seatMap;
}
const statusesOf = (seats: readonly { number: number; status: SeatStatus }[]) => new Map(seats.map(({ number, status }) => [number, status]));

const socketOf = (instance: number, credentials: Credentials): Client => websocketClient(frontrow.instances[instance]!.url!, credentials);

function watch(instance: number, after?: string) {
  const socket = socketOf(instance, buyer);
  sockets.push(socket);
  return collect(socket, WatchSeatsDocument, { scheduleId: concert.scheduleId, after: after ?? null });
}
/** Resolves when the watcher is there. */
const watched = async (instance: number, after?: string) => {
  const before = watchers(instance);
  const watching = watch(instance, after);
  while (watchers(instance) === before) await new Promise((resolve) => setImmediate(resolve));
  return watching;
};
const watchers = (instance: number): number => (boardOf(instance).isWatched(concert.scheduleId) ? 1 : 0);

test('C7: the map has a sequence and the seats of one instant, of one section if asked for', async () => {
  await change(0, 'SOLD', [1, 2]);
  const map = await mapOf();
  expect(map.sequence).toMatch(/^\w+\.1$/);
  expect(map.seats.filter(({ status }) => status === 'SOLD').map(({ number }) => number)).toEqual([1, 2]);
  const none = await frontrow.client().run(SeatMapDocument, { scheduleId: concert.scheduleId, section: 'Roof' }, buyer);
  expect(none.data!.seatMap).toEqual({ sequence: map.sequence, seats: [] });
});

test('C7: changes on either instance are told to the watchers of both', async () => {
  const { sequence } = await mapOf();
  const watching = [await watched(0, sequence), await watched(1, sequence)];
  await change(0, 'HELD', [1]);
  await change(1, 'SOLD', [2]);
  for (const one of watching) {
    const told = new Map<number, SeatStatus>();
    await one.until(({ seatChanges }) => {
      for (const { number, status } of seatChanges.changes) told.set(number, status);
      return told.size === 2;
    });
    expect(Object.fromEntries(told)).toEqual({ 1: 'HELD', 2: 'SOLD' });
  }
});

test('C7: a hold whose end comes is told of without anybody telling of it', async () => {
  const watching = await watched(1, (await mapOf(1)).sequence);
  await change(0, 'HELD', [7], 2000);
  await watching.until(({ seatChanges }) => seatChanges.changes.some(({ number, status }) => number === 7 && status === 'HELD'));
  await watching.until(({ seatChanges }) => seatChanges.changes.some(({ number, status }) => number === 7 && status === 'AVAILABLE'));
});

test('C7: who comes back goes on where it was, on another instance too, and is told each seat as it is now', async () => {
  const { sequence } = await mapOf(0);
  await change(0, 'HELD', [1, 2]);
  await change(1, 'SOLD', [1]);
  await change(0, 'SOLD', [5]);
  const { seatChanges } = await watch(1, sequence).until(() => true);
  expect(seatChanges.resync).toBe(false);
  expect(Object.fromEntries(seatChanges.changes.map(({ number, status }) => [number, status]))).toEqual({ 1: 'SOLD', 2: 'HELD', 5: 'SOLD' });
  expect(seatChanges.sequence).toBe((await mapOf(1)).sequence);
});

test('C7: what this process does not remember comes from the log; what the log no longer keeps is a resync, and so is another epoch', async () => {
  const { sequence } = await mapOf(0);
  for (let number = 1; number <= 5; number += 1) await change(0, 'SOLD', [number]);
  // The other instance begins only now.
  const replayed = await watch(1, sequence).until(() => true);
  expect(replayed.seatChanges.changes.map(({ number }) => number).sort()).toEqual([1, 2, 3, 4, 5]);
  const run = await frontrow.app.redisRun.current();
  await frontrow.app.redis.xtrim(keys.seatLog(run, concert.scheduleId)[1], 'MAXLEN', 2);
  const [epoch] = sequence.split('.') as [string];
  boardOf(0).forget();
  for (const gone of [sequence, `${epoch}0.3`, `${epoch}.99`, 'x', '.', `${epoch}.-1`, `${epoch}.x`]) {
    const { seatChanges } = await watch(0, gone).until(() => true);
    expect(seatChanges).toEqual({ sequence: `${epoch}.5`, changes: [], resync: true });
  }
  const kept = await watch(0, `${epoch}.3`).until(() => true);
  expect(kept.seatChanges.changes.map(({ number }) => number).sort()).toEqual([4, 5]);
});

test('C7: the log keeps so many entries of a date and no more', async () => {
  const run = await frontrow.app.redisRun.current();
  const log = keys.seatLog(run, concert.scheduleId);
  await mapOf();
  await frontrow.app.redis.eval(
    "for index = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], index .. '-0', 'reset', '0', 'changes', '[]') end redis.call('HSET', KEYS[2], 'sequence', ARGV[1])",
    2, log[1], log[0], SEAT_LOG_ENTRIES + 5,
  );
  await change(0, 'SOLD', [1]);
  expect(await frontrow.app.redis.xlen(log[1])).toBe(SEAT_LOG_ENTRIES);
});

test('C7: telling twice, or late, makes no second entry and undoes nothing', async () => {
  const held = await write('HELD', [1]);
  const sold = await write('SOLD', [1]);
  await tell(0, sold);
  const { sequence } = await mapOf(1);
  await tell(1, sold);
  await tell(1, held);
  await boardOf(0).reread([{ concertId: concert.id, scheduleId: concert.scheduleId, numbers: [1] }]);
  const map = await mapOf(1);
  expect(map.sequence).toBe(sequence);
  expect(statusesOf(map.seats).get(1)).toBe('SOLD');
});

test('C7: what is told of a date in one turn is one entry', async () => {
  await mapOf();
  const changes = await write('SOLD', [1, 2, 3]);
  await Promise.all(changes.map((one) => tell(0, [one])));
  expect((await mapOf(1)).sequence).toMatch(/\.1$/);
});

test('C7: new prices, and seats that are removed, are a resync for who watches', async () => {
  const { sequence } = await mapOf(0);
  const watching = [await watched(0, sequence), await watched(1, sequence)];
  await frontrow.app.services.concerts.setPrices(concert.id, [{ grade: 'R', amount: 12_345 }]);
  for (const [instance, one] of watching.entries()) {
    await one.until(({ seatChanges }) => seatChanges.resync);
    expect((await mapOf(instance)).seats.every(({ price }) => price === 12_345)).toBe(true);
  }
  await frontrow.app.services.schedules.removeSeats(concert.scheduleId, [40]);
  for (const instance of [0, 1]) expect((await mapOf(instance)).seats).toHaveLength(SEATS - 1);
});

test('C7: without an ACTIVE pass there is neither map nor changes; a token given with the field stands in for the connection\'s', async () => {
  const stranger = await frontrow.build.buyer();
  const refused = await frontrow.client().raw('query ($id: ID!) { seatMap(scheduleId: $id) { sequence } }', { id: concert.scheduleId }, stranger);
  expect(refused.errors?.[0]?.extensions?.['code']).toBe('QUEUE_TOKEN_REQUIRED');
  const socket = socketOf(0, stranger);
  sockets.push(socket);
  const watching = collect(socket, WatchSeatsDocument, { scheduleId: concert.scheduleId });
  await watching.completed.catch(() => undefined);
  expect(watching.errors[0]?.extensions?.['code']).toBe('QUEUE_TOKEN_REQUIRED');
  const { queueToken, ...signedIn } = buyer;
  const own = socketOf(0, signedIn);
  sockets.push(own);
  const { sequence } = await mapOf();
  await change(0, 'SOLD', [1]);
  await collect(own, WatchSeatsDocument, { scheduleId: concert.scheduleId, after: sequence, queueToken }).until(({ seatChanges }) => seatChanges.changes.length === 1);
});

test('C7: after random changes and disconnects on two instances each watcher ends with the map as it is', async () => {
  let seed = 20261121;
  const random = (below: number): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % below;
  const first = await mapOf(0);
  const viewers = Array.from({ length: 6 }, () => ({ known: statusesOf(first.seats), sequence: first.sequence, watching: null as AsyncIterableIterator<unknown> | null, resyncs: 0 }));
  const enter = async (viewer: (typeof viewers)[number]) => {
    const watching = await boardOf(random(2)).watch(concert.scheduleId, viewer.sequence);
    viewer.watching = watching;
    void (async () => {
      for await (const event of watching) {
        if (viewer.watching !== watching) return;
        if (event.resync) viewer.resyncs += 1;
        for (const { number, status } of event.changes) viewer.known.set(number, status);
        viewer.sequence = event.sequence;
      }
    })();
  };
  await Promise.all(viewers.map(enter));
  for (let round = 0; round < 60; round += 1) {
    await change(random(2), (['AVAILABLE', 'HELD', 'SOLD'] as const)[random(3)]!, [1 + random(SEATS), 1 + random(SEATS)], 50 + random(2000));
    const viewer = viewers[random(viewers.length)]!;
    const { watching } = viewer;
    viewer.watching = null;
    await watching?.return?.();
    await enter(viewer);
  }
  await change(0, 'SOLD', Array.from({ length: SEATS }, (_, index) => index + 1));
  const last = await mapOf(1);
  const same = () => viewers.every(({ known }) => last.seats.every(({ number, status }) => known.get(number) === status));
  const until = performance.now() + 10_000;
  while (!same() && performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
  for (const { known, resyncs } of viewers) {
    expect(Object.fromEntries(known)).toEqual(Object.fromEntries(statusesOf(last.seats)));
    expect(resyncs).toBe(0);
  }
  await Promise.all(viewers.map(({ watching }) => watching?.return?.()));
});

test('C7: a message that is lost is made good from the log with the next one, without a resync', async () => {
  const { sequence } = await mapOf(1);
  const watching = await watched(1, sequence);
  const run = await frontrow.app.redisRun.current();
  const [lost] = await write('SOLD', [9]);
  const told = JSON.stringify([9, 'SOLD', lost!.version, null]);
  await new Script('seat-tell').run(frontrow.app.redis, keys.seatLog(run, concert.scheduleId), [concert.scheduleId, randomUUID(), 'x', SEAT_LOG_ENTRIES, 60_000, 0, 9, lost!.version, told]);
  await change(0, 'SOLD', [10]);
  const seen = new Set<number>();
  await watching.until(({ seatChanges }) => {
    expect(seatChanges.resync).toBe(false);
    for (const { number } of seatChanges.changes) seen.add(number);
    return seen.has(9) && seen.has(10);
  });
});

test('C7: when Redis has lost the log, who watches is told to read everything', async () => {
  const watching = await watched(1, (await mapOf(1)).sequence);
  await frontrow.app.redis.del(...keys.seatLog(await frontrow.app.redisRun.current(), concert.scheduleId));
  await change(0, 'SOLD', [3]);
  await watching.until(({ seatChanges }) => seatChanges.resync);
  await changedBehind(frontrow.app, concert.scheduleId);
  expect(statusesOf((await mapOf(1)).seats).get(3)).toBe('SOLD');
});
