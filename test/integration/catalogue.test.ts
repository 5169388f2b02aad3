import { v7 as uuid } from 'uuid';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { changedBehind } from '../support/behind.js';
import { codeOf } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { statementsOf } from '../support/statements.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: ['sold-is-confirmed', 'held-is-reserved'], because: 'seats get their statuses without reservations' } });
});
afterAll(() => frontrow.stop());

const DAY_MS = 86_400_000;
const list = `query ($first: Int, $after: String) {
  concerts(first: $first, after: $after) {
    nodes { id title soldOut venue { name sections { name } } prices { grade amount }
      schedules { id startsAt totalSeats availableSeats concert { id } } open: schedules(availableOnly: true) { id } }
    pageInfo { hasNextPage endCursor }
  }
}`;

async function setSeats(scheduleId: string, numbers: number[], change: { status: 'HELD' | 'SOLD'; heldUntil?: Date }): Promise<void> {
  await frontrow.app.transactions.fork().nativeUpdate(Seat, { scheduleId, number: { $in: numbers } }, { reservationId: uuid(), ...change });
  await changedBehind(frontrow.app, scheduleId);
}

test('C1: concerts come newest first, page by page, each once', async () => {
  const built: string[] = [];
  for (let index = 0; index < 5; index += 1) built.unshift((await frontrow.build.concert({ seats: 1 })).id);
  const seen: string[] = [];
  let after: string | null = null;
  for (let page = 0; page < 10; page += 1) {
    const { data } = await frontrow.client().raw(list, { first: 2, after });
    expect(data.concerts.nodes.length).toBeLessThanOrEqual(2);
    seen.push(...data.concerts.nodes.map((concert: { id: string }) => concert.id));
    after = data.concerts.pageInfo.endCursor;
    if (!data.concerts.pageInfo.hasNextPage) break;
  }
  expect(seen.slice(0, 5)).toEqual(built);
  expect(new Set(seen).size).toBe(seen.length);
});

test.each([
  ['first', { first: 0 }], ['first', { first: -1 }], ['first', { first: 101 }], ['first', { first: 1_000_000 }],
  ['after', { first: 1, after: 'x' }], ['after', { first: 1, after: 'A'.repeat(10_000) }], ['after', { first: 1, after: '' }],
])('C1: a page with a bad %s is refused by field', async (field, variables) => {
  const answer = await frontrow.client().raw(list, variables);
  expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
});

test('C1: one concert by id; null if there is none; an id that is none is refused', async () => {
  const { id } = await frontrow.build.concert({ seats: 2, dates: 2 });
  const one = 'query ($id: ID!) { concert(id: $id) { id soldOut schedules { availableSeats concert { id } } } }';
  const answer = await frontrow.client().raw(one, { id: id.toUpperCase() });
  expect(answer.data.concert).toEqual({ id, soldOut: false, schedules: [{ availableSeats: 2, concert: { id } }, { availableSeats: 2, concert: { id } }] });
  expect((await frontrow.client().raw(one, { id: uuid() })).data).toEqual({ concert: null });
  for (const bad of ['1', '', `${id}0`, 'x'.repeat(10_000)]) {
    const refused = await frontrow.client().raw(one, { id: bad });
    expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'id' });
  }
});

test('C1: dates come earliest first with the seats left; a hold that ran out counts as left', async () => {
  const { id, scheduleIds } = await frontrow.build.concert({ seats: 4, dates: 3 });
  const [first, second, third] = scheduleIds as [string, string, string];
  await setSeats(first, [1], { status: 'HELD', heldUntil: new Date(Date.now() + DAY_MS) });
  await setSeats(first, [2], { status: 'HELD', heldUntil: new Date(Date.now() - 1000) });
  await setSeats(first, [3], { status: 'SOLD' });
  await setSeats(second, [1, 2, 3, 4], { status: 'SOLD' });
  const dates = 'query ($concertId: ID!, $availableOnly: Boolean!) { schedules(concertId: $concertId, availableOnly: $availableOnly) { id availableSeats totalSeats } }';
  const all = await frontrow.client().raw(dates, { concertId: id, availableOnly: false });
  expect(all.data.schedules).toEqual([
    { id: first, availableSeats: 2, totalSeats: 4 },
    { id: second, availableSeats: 0, totalSeats: 4 },
    { id: third, availableSeats: 4, totalSeats: 4 },
  ]);
  const open = await frontrow.client().raw(dates, { concertId: id, availableOnly: true });
  expect(open.data.schedules.map((date: { id: string }) => date.id)).toEqual([first, third]);
});

test('C1: nothing is left of a date that has begun, and the concert is sold out when nothing is left of the others', async () => {
  const { id, scheduleIds } = await frontrow.build.concert({ seats: 2, dates: 2 });
  const [begun, next] = scheduleIds as [string, string];
  await frontrow.app.orm.em.getConnection().execute('update schedule set starts_at = sysdate(3) where id = ?', [begun]);
  await changedBehind(frontrow.app);
  const read = async () => (await frontrow.client().raw('query ($id: ID!) { concert(id: $id) { soldOut schedules { id availableSeats totalSeats } open: schedules(availableOnly: true) { id } } }', { id })).data.concert;
  expect(await read()).toEqual({
    soldOut: false,
    schedules: [{ id: begun, availableSeats: 0, totalSeats: 2 }, { id: next, availableSeats: 2, totalSeats: 2 }],
    open: [{ id: next }],
  });
  await setSeats(next, [1, 2], { status: 'SOLD' });
  expect(await read()).toMatchObject({ soldOut: true, open: [] });
});

test('C1: dates of no concert are NOT_FOUND, never an empty list', async () => {
  const dates = 'query ($concertId: ID!) { schedules(concertId: $concertId) { id } }';
  expect(codeOf(await frontrow.client().raw(dates, { concertId: uuid() }))).toBe('NOT_FOUND');
  const refused = await frontrow.client().raw(dates, { concertId: 'none' });
  expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'concertId' });
});

test('C1: sold out means dates and no seat left: neither a live hold, nor one that ran out, nor a concert without dates', async () => {
  const soldOut = async (id: string) => (await frontrow.client().raw('query ($id: ID!) { concert(id: $id) { soldOut } }', { id })).data.concert.soldOut;
  const concert = await frontrow.build.concert({ seats: 2 });
  await setSeats(concert.scheduleId, [1], { status: 'SOLD' });
  expect(await soldOut(concert.id)).toBe(false);
  await setSeats(concert.scheduleId, [2], { status: 'HELD', heldUntil: new Date(Date.now() + DAY_MS) });
  expect(await soldOut(concert.id)).toBe(true);
  await setSeats(concert.scheduleId, [2], { status: 'HELD', heldUntil: new Date(Date.now() - 1) });
  expect(await soldOut(concert.id)).toBe(false);
  expect(await soldOut((await frontrow.build.concert({ dates: 0 })).id)).toBe(false);
});

test('C1: a page costs the same few SQL statements however many concerts it has', async () => {
  for (let index = 0; index < 20; index += 1) await frontrow.build.concert({ seats: 2, dates: 2 });
  const page = async (first: number) =>
    (await statementsOf(frontrow, async () => expect((await frontrow.client().raw(list, { first })).data.concerts.nodes).toHaveLength(first))).length;
  const two = await page(2);
  expect(two).toBeGreaterThan(0);
  expect(await page(20)).toBe(two);
  expect(two).toBeLessThanOrEqual(8);
});
