import { v7 as uuid } from 'uuid';
import { Reservation } from '../../src/database/entities/reservation.entity.js';
import { Schedule } from '../../src/database/entities/schedule.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { SEATS_REMOVED_MAX } from '../../src/domain/seat-map.js';
import type { Buyer } from '../support/builder.js';
import { codeOf } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import type { BrokenOnPurpose } from '../support/invariants.js';

const BROKEN: BrokenOnPurpose = {
  invariants: ['sold-is-confirmed', 'held-is-reserved', 'reservation-seat-count', 'reservation-total', 'expired-in-time', 'change-is-told'],
  because: 'seats get their statuses, and a date its reservation, without a sale',
};

let frontrow: Frontrow;
let admin: Buyer;
beforeAll(async () => {
  frontrow = await startFrontrow({ instances: 2, brokenOnPurpose: BROKEN });
  admin = await frontrow.build.buyer({ role: 'ADMIN' });
});
afterAll(() => frontrow.stop());

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();
const asAdmin = (query: string, variables: object) => frontrow.client(0).raw(query, variables, admin);
const asReader = (query: string, variables: object) => frontrow.client(1).raw(query, variables);

const createVenue = 'mutation ($input: CreateVenueInput!) { createVenue(input: $input) { id name address timeZone sections { name rows { name grade seatCount } } } }';
const updateVenue = 'mutation ($id: ID!, $input: UpdateVenueInput!) { updateVenue(id: $id, input: $input) { id name address timeZone sections { name } } }';
const createConcert = 'mutation ($input: CreateConcertInput!) { createConcert(input: $input) { id title soldOut prices { grade amount } venue { id } } }';
const updateConcert = 'mutation ($id: ID!, $input: UpdateConcertInput!) { updateConcert(id: $id, input: $input) { id title artist saleOpensAt saleClosesAt } }';
const setPrices = 'mutation ($concertId: ID!, $prices: [PriceInput!]!) { setPrices(concertId: $concertId, prices: $prices) { prices { grade amount } } }';
const createSchedule = 'mutation ($input: CreateScheduleInput!) { createSchedule(input: $input) { id totalSeats availableSeats startsAt } }';
const updateSchedule = 'mutation ($id: ID!, $startsAt: DateTime!) { updateSchedule(id: $id, input: { startsAt: $startsAt }) { startsAt } }';
const removeSeats = `mutation ($scheduleId: ID!, $seatNumbers: [Int!]!) { removeSeats(scheduleId: $scheduleId, seatNumbers: $seatNumbers) {
  ... on Schedule { totalSeats availableSeats } ... on SeatsNotRemovable { message seatNumbers } } }`;
const deleteSchedule = 'mutation ($id: ID!) { deleteSchedule(id: $id) { ... on Schedule { id totalSeats } ... on SeatsNotRemovable { seatNumbers } } }';
const setQueuePolicy =
  'mutation ($concertId: ID!, $input: QueuePolicyInput!) { setQueuePolicy(concertId: $concertId, input: $input) { admitCount admitIntervalMs activeMax } }';
const readConcert = 'query ($id: ID!) { concert(id: $id) { title soldOut saleOpensAt venue { name } prices { grade amount } schedules { id startsAt totalSeats availableSeats } } }';

const layout = [
  { name: 'Floor', rows: [{ name: 'A', grade: 'VIP', seatCount: 2 }, { name: 'B', grade: 'R', seatCount: 3 }] },
  { name: 'Balcony', rows: [{ name: 'A', grade: 'R', seatCount: 5 }] },
];
const prices = [{ grade: 'VIP', amount: 90_000 }, { grade: 'R', amount: 50_000 }];

async function venue(): Promise<string> {
  const { data } = await asAdmin(createVenue, { input: { name: 'Hall', timeZone: 'Asia/Seoul', sections: layout } });
  return data.createVenue.id;
}
async function concert(): Promise<string> {
  const input = { venueId: await venue(), title: 'Night', artist: 'Band', saleOpensAt: inDays(-1), prices };
  return (await asAdmin(createConcert, { input })).data.createConcert.id;
}
async function date(concertId: string): Promise<string> {
  return (await asAdmin(createSchedule, { input: { concertId, startsAt: inDays(30) } })).data.createSchedule.id;
}
const seats = (scheduleId: string) => frontrow.app.transactions.fork().find(Seat, { scheduleId }, { orderBy: { number: 'asc' } });
const put = (scheduleId: string, number: number, status: 'HELD' | 'SOLD', heldUntil: Date | null = null, reservationId = uuid()) =>
  frontrow.app.transactions.fork().nativeUpdate(Seat, { scheduleId, number }, { status, heldUntil, reservationId });

test('C3, C4: an admin makes venue, concert and date, and readers of another instance see each at once', async () => {
  const made = await asAdmin(createVenue, { input: { name: ' Hall ', address: 'Seoul', timeZone: 'Asia/Seoul', sections: layout } });
  expect(made.data.createVenue).toMatchObject({ name: 'Hall', address: 'Seoul', timeZone: 'Asia/Seoul', sections: layout });
  const venueId = made.data.createVenue.id;
  const { data } = await asAdmin(createConcert, { input: { venueId, title: 'Night', artist: 'Band', saleOpensAt: inDays(-1), prices } });
  const { id } = data.createConcert;
  expect((await asReader(readConcert, { id })).data.concert).toMatchObject({ title: 'Night', soldOut: false, prices, schedules: [], venue: { name: 'Hall' } });
  const startsAt = inDays(30);
  const dated = await asAdmin(createSchedule, { input: { concertId: id, startsAt } });
  expect(dated.data.createSchedule).toMatchObject({ totalSeats: 10, availableSeats: 10, startsAt });
  expect((await asReader(readConcert, { id })).data.concert.schedules).toEqual([{ id: dated.data.createSchedule.id, startsAt, totalSeats: 10, availableSeats: 10 }]);
  const [first, , third, , , sixth] = await seats(dated.data.createSchedule.id);
  expect(first).toMatchObject({ number: 1, section: 'Floor', row: 'A', grade: 'VIP', price: 90_000, status: 'AVAILABLE' });
  expect(third).toMatchObject({ number: 3, section: 'Floor', row: 'B', grade: 'R', price: 50_000 });
  expect(sixth).toMatchObject({ number: 6, section: 'Balcony', row: 'A', grade: 'R' });
});

test('C4: changes keep what they leave out, and readers see them at once', async () => {
  const id = await concert();
  const moved = inDays(2);
  const changed = await asAdmin(updateConcert, { id, input: { saleOpensAt: moved, saleClosesAt: inDays(3) } });
  expect(changed.data.updateConcert).toMatchObject({ title: 'Night', artist: 'Band', saleOpensAt: moved });
  expect((await asReader(readConcert, { id })).data.concert.saleOpensAt).toBe(moved);
  expect((await asAdmin(updateConcert, { id, input: { title: 'Day', saleClosesAt: null } })).data.updateConcert).toMatchObject({ title: 'Day', saleOpensAt: moved, saleClosesAt: null });

  const venueId = await venue();
  const one = [{ name: 'Only', rows: [{ name: '1', grade: 'R', seatCount: 1 }] }];
  expect((await asAdmin(updateVenue, { id: venueId, input: { address: 'Busan', sections: one } })).data.updateVenue).toMatchObject({
    name: 'Hall', address: 'Busan', timeZone: 'Asia/Seoul', sections: [{ name: 'Only' }],
  });
  expect((await asAdmin(updateVenue, { id: venueId, input: { address: null, name: 'Home' } })).data.updateVenue).toMatchObject({ name: 'Home', address: null, sections: [{ name: 'Only' }] });

  const scheduleId = await date(id);
  const startsAt = inDays(40);
  expect((await asAdmin(updateSchedule, { id: scheduleId, startsAt })).data.updateSchedule).toEqual({ startsAt });
  expect((await asReader(readConcert, { id })).data.concert.schedules[0].startsAt).toBe(startsAt);
});

test('C4: venues are listed for admins, newest first', async () => {
  const [older, newer] = [await venue(), await venue()];
  const query = 'query ($first: Int!, $after: String) { venues(first: $first, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }';
  const page = await asAdmin(query, { first: 1 });
  expect(page.data.venues).toMatchObject({ nodes: [{ id: newer }], pageInfo: { hasNextPage: true } });
  expect((await asAdmin(query, { first: 1, after: page.data.venues.pageInfo.endCursor })).data.venues.nodes).toEqual([{ id: older }]);
  expect((await asAdmin(query, { first: 0 })).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'first' });
});

test('V5: new prices reach available seats only, also those whose hold has run out; held and sold seats keep theirs', async () => {
  const id = await concert();
  const scheduleIds = [await date(id), await date(id)];
  await put(scheduleIds[0]!, 3, 'HELD', new Date(Date.now() + DAY_MS));
  await put(scheduleIds[0]!, 4, 'HELD', new Date(Date.now() - 1000));
  await put(scheduleIds[0]!, 5, 'SOLD');
  const answer = await asAdmin(setPrices, { concertId: id, prices: [{ grade: 'R', amount: 60_000 }, { grade: 'S', amount: 10_000 }] });
  expect(answer.data.setPrices.prices).toEqual([{ grade: 'VIP', amount: 90_000 }, { grade: 'R', amount: 60_000 }, { grade: 'S', amount: 10_000 }]);
  expect((await seats(scheduleIds[0]!)).map(({ price }) => price)).toEqual([90_000, 90_000, 50_000, 60_000, 50_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
  expect((await seats(scheduleIds[1]!)).filter(({ price }) => price === 60_000)).toHaveLength(8);
  expect((await seats(await date(id)))[2]!.price).toBe(60_000);
});

test('C4: seats are removed all or none; the refusal names those that are held or sold; the others keep their numbers', async () => {
  const id = await concert();
  const scheduleId = await date(id);
  await put(scheduleId, 2, 'HELD', new Date(Date.now() + DAY_MS));
  await put(scheduleId, 3, 'SOLD');
  await put(scheduleId, 4, 'HELD', new Date(Date.now() - 1000));
  const refused = await asAdmin(removeSeats, { scheduleId, seatNumbers: [4, 3, 2, 1] });
  expect(refused.data.removeSeats).toEqual({ message: expect.any(String), seatNumbers: [2, 3] });
  expect(await seats(scheduleId)).toHaveLength(10);
  expect((await asAdmin(removeSeats, { scheduleId, seatNumbers: [4, 1] })).data.removeSeats).toEqual({ totalSeats: 8, availableSeats: 6 });
  expect((await seats(scheduleId)).map(({ number }) => number)).toEqual([2, 3, 5, 6, 7, 8, 9, 10]);
  expect((await asReader(readConcert, { id })).data.concert.schedules[0]).toMatchObject({ totalSeats: 8, availableSeats: 6 });
  for (const seatNumbers of [[], [5, 5], [0], [11], [1], [-1], [100_001], Array.from({ length: SEATS_REMOVED_MAX + 1 }, (_, index) => index + 1)]) {
    expect((await asAdmin(removeSeats, { scheduleId, seatNumbers })).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'seatNumbers' });
  }
  expect(await seats(scheduleId)).toHaveLength(8);
});

test('C4: a date goes only when no seat of it is held or sold; reservations of the past still name it', async () => {
  const id = await concert();
  const [gone, stays] = [await date(id), await date(id)];
  await put(stays, 7, 'SOLD');
  await put(stays, 2, 'HELD', new Date(Date.now() + DAY_MS));
  expect((await asAdmin(deleteSchedule, { id: stays })).data.deleteSchedule).toEqual({ seatNumbers: [2, 7] });
  expect(await seats(stays)).toHaveLength(10);

  const buyer = await frontrow.build.buyer();
  const now = new Date();
  const reservationId = uuid();
  await frontrow.app.transactions.fork().insert(Reservation, {
    id: reservationId, userId: buyer.id, concertId: id, scheduleId: gone, status: 'CANCELLED', seatCount: 1, totalPrice: 1, expiresAt: now, createdAt: now, updatedAt: now,
  });
  expect((await asAdmin(deleteSchedule, { id: gone })).data.deleteSchedule).toEqual({ id: gone, totalSeats: 0 });
  expect(await seats(gone)).toEqual([]);
  expect((await asReader(readConcert, { id })).data.concert.schedules.map((one: { id: string }) => one.id)).toEqual([stays]);
  expect(await frontrow.app.createLoaders().schedule.load(gone)).toMatchObject({ id: gone, concertId: id });
  for (const again of [asAdmin(deleteSchedule, { id: gone }), asAdmin(updateSchedule, { id: gone, startsAt: inDays(1) }), asAdmin(removeSeats, { scheduleId: gone, seatNumbers: [1] })]) {
    expect(codeOf(await again)).toBe('NOT_FOUND');
  }
});

test("Q7: a concert's queue policy is set, read and reset setting by setting", async () => {
  const id = await concert();
  const defaults = { admitCount: 200, admitIntervalMs: 10_000, activeMax: 2000 };
  const read = async () => (await asAdmin('query ($id: ID!) { queue(concertId: $id) { policy { admitCount admitIntervalMs activeMax } } }', { id })).data.queue.policy;
  expect(await read()).toEqual(defaults);
  expect((await asAdmin(setQueuePolicy, { concertId: id, input: { admitCount: 7, activeMax: 0 } })).data.setQueuePolicy).toEqual({ ...defaults, admitCount: 7, activeMax: 0 });
  expect((await asAdmin(setQueuePolicy, { concertId: id, input: { admitCount: null } })).data.setQueuePolicy).toEqual({ ...defaults, activeMax: 0 });
  expect(await read()).toEqual({ ...defaults, activeMax: 0 });
});

test('Q7: an operator sees how many wait and how many are active', async () => {
  const id = await concert();
  await frontrow.build.admit(id, await frontrow.build.buyers(2));
  const joined = await frontrow.client(1).raw('mutation ($id: ID!) { joinQueue(concertId: $id) { token } }', { id }, await frontrow.build.buyer());
  expect(joined.errors).toBeUndefined();
  const answer = await asAdmin('query ($id: ID!) { queue(concertId: $id) { waiting active } }', { id });
  expect(answer.data.queue).toEqual({ waiting: 1, active: 2 });
});

test("Q7: a policy that is changed while the queue runs holds from the next tick on, and revokes nobody's pass", async () => {
  const id = await concert();
  for (const buyer of await frontrow.build.buyers(4)) await frontrow.client(1).raw('mutation ($id: ID!) { joinQueue(concertId: $id) { token } }', { id }, buyer);
  const afterBeat = async (input: object) => {
    await asAdmin(setQueuePolicy, { concertId: id, input });
    await frontrow.app.services.queue.tick();
    return (await asAdmin('query ($id: ID!) { queue(concertId: $id) { waiting active } }', { id })).data.queue;
  };
  expect(await afterBeat({ activeMax: 0 })).toEqual({ waiting: 4, active: 0 });
  expect(await afterBeat({ activeMax: 2 })).toEqual({ waiting: 2, active: 2 });
  expect(await afterBeat({ activeMax: 1 })).toEqual({ waiting: 2, active: 2 });
  expect(await afterBeat({ activeMax: null })).toEqual({ waiting: 0, active: 4 });
});

test('C4: bad input is refused by field and leaves nothing behind', async () => {
  const [venueId, concertId] = [await venue(), await concert()];
  const good = { venueId, title: 'T', artist: 'A', saleOpensAt: inDays(1), prices };
  const wide = [{ name: 'Wide', rows: [{ name: '1', grade: 'R', seatCount: 100_000 }, { name: '2', grade: 'R', seatCount: 1 }] }];
  const unpriced = [...layout, { name: 'Roof', rows: [{ name: '1', grade: 'X', seatCount: 1 }] }];
  const before = await frontrow.app.transactions.fork().count(Schedule);
  const cases: [string, string, object][] = [
    ['name', createVenue, { input: { name: ' ', timeZone: 'Asia/Seoul', sections: layout } }],
    ['name', createVenue, { input: { name: 'x'.repeat(201), timeZone: 'Asia/Seoul', sections: layout } }],
    ['address', createVenue, { input: { name: 'x', address: 'x'.repeat(301), timeZone: 'Asia/Seoul', sections: layout } }],
    ['timeZone', createVenue, { input: { name: 'x', timeZone: 'Seoul', sections: layout } }],
    ['sections', createVenue, { input: { name: 'x', timeZone: 'Asia/Seoul', sections: [] } }],
    ['name', updateVenue, { id: venueId, input: { name: null } }],
    ['id', updateVenue, { id: 'x', input: {} }],
    ['venueId', createConcert, { input: { ...good, venueId: uuid() } }],
    ['title', createConcert, { input: { ...good, title: 'x'.repeat(201) } }],
    ['artist', createConcert, { input: { ...good, artist: '' } }],
    ['saleClosesAt', createConcert, { input: { ...good, saleClosesAt: good.saleOpensAt } }],
    ['saleOpensAt', createConcert, { input: { ...good, saleOpensAt: '1999-12-31T00:00:00.000Z' } }],
    ['prices', createConcert, { input: { ...good, prices: [] } }],
    ['saleClosesAt', updateConcert, { id: concertId, input: { saleClosesAt: inDays(-2) } }],
    ['prices.0.amount', setPrices, { concertId, prices: [{ grade: 'R', amount: 0 }] }],
    ['startsAt', createSchedule, { input: { concertId, startsAt: inDays(-1) } }],
    ['sections', createSchedule, { input: { concertId, startsAt: inDays(1), sections: [] } }],
    ['sections', createSchedule, { input: { concertId, startsAt: inDays(1), sections: wide } }],
    ['sections', createSchedule, { input: { concertId, startsAt: inDays(1), sections: unpriced } }],
    ['sections', createSchedule, { input: { concertId, startsAt: inDays(1), sections: [...layout, layout[0]] } }],
    ['activeMax', setQueuePolicy, { concertId, input: { activeMax: -1 } }],
    ['admitCount', setQueuePolicy, { concertId, input: { admitCount: 0 } }],
    ['admitIntervalMs', setQueuePolicy, { concertId, input: { admitIntervalMs: 86_400_001 } }],
  ];
  for (const [field, query, variables] of cases) {
    const { errors } = await asAdmin(query, variables);
    expect({ query: query.slice(0, 60), ...errors?.[0]?.extensions }).toMatchObject({ query: query.slice(0, 60), code: 'BAD_USER_INPUT', field });
  }
  expect(await frontrow.app.transactions.fork().count(Schedule)).toBe(before);
});

test('C4: what does not exist is NOT_FOUND', async () => {
  const id = uuid();
  const cases: [string, object][] = [
    [updateVenue, { id, input: {} }], [updateConcert, { id, input: {} }], [setPrices, { concertId: id, prices }], [updateSchedule, { id, startsAt: inDays(1) }],
    [createSchedule, { input: { concertId: id, startsAt: inDays(1) } }], [removeSeats, { scheduleId: id, seatNumbers: [1] }], [deleteSchedule, { id }],
    [setQueuePolicy, { concertId: id, input: {} }], ['query ($id: ID!) { queue(concertId: $id) { waiting } }', { id }],
  ];
  for (const [query, variables] of cases) expect(codeOf(await asAdmin(query, variables))).toBe('NOT_FOUND');
});

test('U3: without the role ADMIN nothing of this can be done', async () => {
  const buyer = await frontrow.build.buyer();
  const id = await concert();
  const cases: [string, object][] = [
    [updateConcert, { id, input: { title: 'Mine' } }], [setPrices, { concertId: id, prices: [{ grade: 'R', amount: 1 }] }], [createVenue, { input: { name: 'x', timeZone: 'UTC', sections: layout } }],
    ['{ venues { nodes { id } } }', {}], [setQueuePolicy, { concertId: id, input: { admitCount: 1 } }],
  ];
  for (const [query, variables] of cases) {
    expect(codeOf(await frontrow.client().raw(query, variables, buyer))).toBe('FORBIDDEN');
    expect(codeOf(await frontrow.client().raw(query, variables))).toBe('UNAUTHENTICATED');
  }
  expect((await asReader(readConcert, { id })).data.concert.title).toBe('Night');
});

test('C4: a date that fails after thousands of its seats leaves nothing', async () => {
  const id = await concert();
  const em = frontrow.app.transactions.fork();
  const before = [await em.count(Schedule), await em.count(Seat)];
  await em.execute("create trigger seat_fails before insert on seat for each row begin if new.number = 4500 then signal sqlstate '45000'; end if; end");
  try {
    const sections = [{ name: 'Floor', rows: [{ name: '1', grade: 'R', seatCount: 5000 }] }];
    const failed = await asAdmin(createSchedule, { input: { concertId: id, startsAt: inDays(1), sections } });
    expect(codeOf(failed)).toBe('INTERNAL_SERVER_ERROR');
    expect([await em.count(Schedule), await em.count(Seat)]).toEqual(before);
    expect((await asReader(readConcert, { id })).data.concert.schedules).toEqual([]);
  } finally {
    await em.execute('drop trigger seat_fails');
  }
});
