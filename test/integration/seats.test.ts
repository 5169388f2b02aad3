import { print } from 'graphql';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { v7 as uuid } from 'uuid';
import { Schedule } from '../../src/database/entities/schedule.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { storedSeats } from '../../src/database/repositories/seat.repository.js';
import { RequestError } from '../../src/domain/errors.js';
import type { SeatFilter } from '../../src/domain/seat-snapshot.js';
import { SEATS_PER_SCHEDULE_MAX } from '../../src/domain/seat-map.js';
import { GIVEN_UP_AFTER_MS } from '../../src/server/limits.js';
import { SeatsDocument, type SeatsQuery } from '../graphql/operations.js';
import { changedBehind } from '../support/behind.js';
import { sendBy } from '../support/both-ways.js';
import { codeOf, headersOf, type Answer } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { dataOf } from '../support/sale.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['sold-is-confirmed', 'held-is-reserved'], because: 'seats get their statuses without reservations' } });
});
afterAll(() => frontrow.stop());

const DAY_MS = 86_400_000;
const all: SeatFilter = { status: null, section: null, first: null, afterNumber: null };
const seats = (scheduleId: string, filter: Partial<SeatFilter> = {}) => frontrow.app.services.seats.ofSchedule(scheduleId, { ...all, ...filter });
const numbers = async (scheduleId: string, filter: Partial<SeatFilter> = {}) => (await seats(scheduleId, filter)).map(({ number }) => number);

/** Twelve seats: 1 live hold, 2 run-out hold, 3 sold, the others free; 11 and 12 in the balcony. */
async function date(): Promise<string> {
  const { scheduleId } = await frontrow.build.concert({ seats: 12 });
  const em = frontrow.app.transactions.fork();
  const change = (number: number, values: object) => em.nativeUpdate(Seat, { scheduleId, number }, { reservationId: uuid(), ...values });
  await change(1, { status: 'HELD', heldUntil: new Date(Date.now() + DAY_MS) });
  await change(2, { status: 'HELD', heldUntil: new Date(Date.now() - 1) });
  await change(3, { status: 'SOLD' });
  await em.nativeUpdate(Seat, { scheduleId, number: { $in: [11, 12] } }, { section: 'Balcony' });
  await changedBehind(frontrow.app, scheduleId);
  return scheduleId;
}

test('C2: seats come by number with their status at this moment: a hold that ran out is available', async () => {
  const rows = await seats(await date());
  expect(rows.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(rows.slice(0, 4).map(({ status }) => status)).toEqual(['HELD', 'AVAILABLE', 'SOLD', 'AVAILABLE']);
  expect(rows[0]).toEqual({ id: expect.any(String), number: 1, section: 'Floor', row: '1', grade: 'R', price: 10_000, status: 'HELD' });
});

test('C2: the status asked for obeys the clock, not the row', async () => {
  const scheduleId = await date();
  expect(await numbers(scheduleId, { status: 'AVAILABLE' })).toEqual([2, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(await numbers(scheduleId, { status: 'HELD' })).toEqual([1]);
  expect(await numbers(scheduleId, { status: 'SOLD' })).toEqual([3]);
});

test('C2: section, first and afterNumber narrow it down together; an unknown section has no seats', async () => {
  const scheduleId = await date();
  expect(await numbers(scheduleId, { section: 'Balcony' })).toEqual([11, 12]);
  expect(await numbers(scheduleId, { section: 'Roof' })).toEqual([]);
  expect(await numbers(scheduleId, { section: 'Floor', first: 3, afterNumber: 2 })).toEqual([3, 4, 5]);
  expect(await numbers(scheduleId, { status: 'AVAILABLE', first: 2, afterNumber: 0 })).toEqual([2, 4]);
  expect(await numbers(scheduleId, { afterNumber: 12 })).toEqual([]);
});

test('C2: bad pages and ids are refused by field, an unknown date is NOT_FOUND', async () => {
  const { scheduleId } = await frontrow.build.concert({ seats: 1 });
  const cases: [string, string, Partial<SeatFilter>][] = [
    ['first', scheduleId, { first: 0 }], ['first', scheduleId, { first: -1 }], ['first', scheduleId, { first: 101 }], ['first', scheduleId, { first: 1_000_000 }],
    ['afterNumber', scheduleId, { afterNumber: -1 }], ['afterNumber', scheduleId, { afterNumber: SEATS_PER_SCHEDULE_MAX + 1 }], ['scheduleId', 'x', {}],
  ];
  for (const [field, id, filter] of cases) {
    await expect(seats(id, filter)).rejects.toMatchObject({ code: 'BAD_USER_INPUT', extensions: { field } });
  }
  await expect(seats(uuid())).rejects.toBeInstanceOf(RequestError);
  await expect(seats(uuid())).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

describe('a date of 100,000 seats', () => {
  let scheduleId: string;
  let concertId: string;

  const reported = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const start = performance.now();
    const result = await work();
    delay.disable();
    console.log(`${what}: ${Math.round(performance.now() - start)} ms, longest event-loop pause ${Math.round(delay.max / 1e6)} ms`);
    return result;
  };

  beforeAll(async () => {
    const admin = await frontrow.build.buyer({ role: 'ADMIN' });
    ({ id: concertId } = await frontrow.build.concert({ dates: 0 }));
    const rows = Array.from({ length: 20 }, (_, index) => ({ name: String(index + 1), grade: 'R', seatCount: 100 }));
    const sections = Array.from({ length: SEATS_PER_SCHEDULE_MAX / 2000 }, (_, index) => ({ name: `S${index + 1}`, rows }));
    const text = 'mutation ($input: CreateScheduleInput!) { createSchedule(input: $input) { id totalSeats availableSeats } }';
    const input = { concertId, startsAt: new Date(Date.now() + 30 * DAY_MS).toISOString(), sections };
    const from = performance.now();
    const answer = await reported('create 100,000 seats', () => frontrow.client().raw(text, { input }, admin));
    // On a slow machine it goes on after the answer that there is none yet, which comes at the deadline and not before.
    if (codeOf(answer) === 'SERVICE_UNAVAILABLE') expect(performance.now() - from).toBeGreaterThanOrEqual(GIVEN_UP_AFTER_MS);
    else expect(answer.data.createSchedule).toMatchObject({ totalSeats: SEATS_PER_SCHEDULE_MAX, availableSeats: SEATS_PER_SCHEDULE_MAX });
    const { id } = await eventually(() => frontrow.app.transactions.fork().findOne(Schedule, { concertId }), 'the date');
    scheduleId = id;
  });

  test('C2: is created whole through the API, and all its seats are read, numbered through', async () => {
    const rows = await reported('read 100,000 seats', () => seats(scheduleId));
    expect(rows).toHaveLength(SEATS_PER_SCHEDULE_MAX);
    expect(rows.every((row, index) => row.number === index + 1)).toBe(true);
  });

  test('C2: a buyer with a pass gets all of them in one answer', async () => {
    const buyer = await frontrow.build.admittedBuyer(concertId);
    const headers = { 'content-type': 'application/json', ...headersOf(buyer) };
    const body = JSON.stringify({ query: print(SeatsDocument), variables: { scheduleId } });
    // As a SPA asks, by a document that is known: Apollo's way would take most of the deadline in a process that tests.
    const answer = await reported('answer with 100,000 seats', async () => {
      const response = await sendBy('ahead', `${frontrow.client().url}/graphql`, { method: 'POST', headers, body });
      return (await response.json()) as Answer<SeatsQuery>;
    });
    expect(dataOf(answer).seats).toHaveLength(SEATS_PER_SCHEDULE_MAX);
    const taken = await frontrow.client().run(SeatsDocument, { scheduleId, status: 'SOLD' }, buyer);
    expect(taken.data?.seats).toEqual([]);
  });

  test('C2: a page of a section is read without the rest of the date', async () => {
    const rows = await reported('read a page of a section', () => seats(scheduleId, { section: 'S42', first: 100, afterNumber: 83_000 }));
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, index) => 83_001 + index));
    expect(rows.every(({ section }) => section === 'S42')).toBe(true);
  });

  test('C6: the seats of a date are read in the order of the primary key', async () => {
    const em = frontrow.app.transactions.fork();
    const explained: string[] = [];
    const execute = em.execute.bind(em);
    em.execute = (async (sql: string, params: unknown[]) => {
      const [plan] = await execute<{ key: string; type: string; rows: number; Extra: string }[]>(`explain ${sql}`, params);
      explained.push(`${plan!.key} ${/filesort/.test(plan!.Extra) ? 'sorted' : 'in order'}`);
      return execute(sql, params);
    }) as typeof em.execute;
    await storedSeats(em, scheduleId);
    expect(explained).toEqual(['PRIMARY in order']);
  });

  test('C4: prices of the whole date change in one go', async () => {
    await reported('reprice 100,000 seats', () => frontrow.app.services.concerts.setPrices(concertId, [{ grade: 'R', amount: 20_000 }]));
    const em = frontrow.app.transactions.fork();
    expect(await em.count(Seat, { scheduleId, price: 20_000 })).toBe(SEATS_PER_SCHEDULE_MAX);
    const loaders = frontrow.app.createLoaders();
    expect(await reported('count available seats', () => loaders.availableSeats.load(scheduleId))).toBe(SEATS_PER_SCHEDULE_MAX);
    expect(await reported('sold out', () => loaders.soldOut.load(concertId))).toBe(false);
    await em.nativeUpdate(Seat, { scheduleId }, { status: 'SOLD' });
    await changedBehind(frontrow.app, scheduleId);
    expect(await reported('available seats, all sold', () => frontrow.app.createLoaders().availableSeats.load(scheduleId))).toBe(0);
    expect(await reported('sold out, all sold', () => frontrow.app.createLoaders().soldOut.load(concertId))).toBe(true);
    expect(await reported('available seats page, all sold', () => seats(scheduleId, { status: 'AVAILABLE', first: 100 }))).toEqual([]);
  });
});
