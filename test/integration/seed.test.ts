import { pino } from 'pino';
import { verify } from '@node-rs/argon2';
import type { StoreAddresses } from '../../src/app.js';
import { Concert } from '../../src/database/entities/concert.entity.js';
import { User } from '../../src/database/entities/user.entity.js';
import { DEMO_ACCOUNTS } from '../../src/database/seeds/demo.js';
import { run, type Running } from '../../src/run.js';
import { graphqlClient } from '../support/client.js';
import { testConfig } from '../support/frontrow.js';
import { freshStores } from '../support/stores.js';

const silent = pino({ level: 'silent' });
let stores: StoreAddresses & { drop(): Promise<void> };
let running: Running[] = [];

beforeEach(async () => {
  stores = await freshStores();
});
afterEach(async () => {
  for (const one of running) await one.close();
  running = [];
  await stores.drop();
});

async function start(seed: 'on' | 'off'): Promise<Running> {
  const one = await run(testConfig({ SEED_DEMO: seed }), stores, silent);
  running.push(one);
  return one;
}

const everything = '{ concerts(first: 100) { nodes { title saleOpensAt soldOut venue { name } prices { grade } schedules { startsAt totalSeats availableSeats } } } }';

test('the first start on an empty database brings the demo accounts, a sale with three dates of 50 seats, an arena and one that opens soon', async () => {
  const { app, url, demoAccounts } = await start('on');
  expect(demoAccounts).toEqual(DEMO_ACCOUNTS);
  const users = await app.transactions.fork().find(User, {}, { orderBy: { role: 'desc' } });
  expect(users.map(({ email, role }) => ({ email, role }))).toEqual([{ email: 'demo@example.com', role: 'USER' }, { email: 'admin@example.com', role: 'ADMIN' }]);
  expect(await verify(users[0]!.passwordHash, 'demo-password')).toBe(true);
  expect(await verify(users[1]!.passwordHash, 'admin-password')).toBe(true);
  expect(users[0]!.passwordHash).toMatch(/^\$argon2id\$/);

  const { data } = await graphqlClient(url!).raw(everything, {});
  const [club, arena, soon, ...others] = data.concerts.nodes;
  expect(others).toEqual([]);
  expect(club.schedules.map((date: { totalSeats: number; availableSeats: number }) => [date.totalSeats, date.availableSeats])).toEqual([[50, 50], [50, 50], [50, 50]]);
  expect(club.prices.map((price: { grade: string }) => price.grade)).toEqual(['VIP', 'R', 'S']);
  expect(arena.schedules[0].availableSeats).toBeGreaterThanOrEqual(10_000);
  expect(Date.parse(club.saleOpensAt)).toBeLessThan(Date.now());
  expect(Date.parse(arena.saleOpensAt)).toBeLessThan(Date.now());
  const opensInMs = Date.parse(soon.saleOpensAt) - Date.now();
  expect(opensInMs).toBeGreaterThan(0);
  expect(opensInMs).toBeLessThan(3_600_000);
  for (const date of [...club.schedules, ...arena.schedules, ...soon.schedules]) expect(Date.parse(date.startsAt)).toBeGreaterThan(Date.now() + 14 * 86_400_000);
  const numbers = await app.transactions.fork().execute('select distinct min(number) as low, max(number) as high from seat group by schedule_id having count(*) = 50');
  expect(numbers).toEqual([{ low: 1, high: 50 }]);
});

test('O1: instances that start at once on an empty database seed it once', async () => {
  await start('off'); // The schema is there: both reach the seeding together.
  const [one] = await Promise.all([start('on'), start('on'), start('on')]);
  const em = one!.app.transactions.fork();
  expect([await em.count(User), await em.count(Concert)]).toEqual([2, 3]);
});

test('negative control: without the unique e-mail, instances that start at once seed more than once', async () => {
  const { app } = await start('off');
  await app.transactions.fork().execute('alter table user drop index user_email_unique');
  await Promise.all([start('on'), start('on'), start('on')]);
  expect(await app.transactions.fork().count(Concert)).toBeGreaterThan(3);
});

test('a start on a database in use adds nothing, even when the demo was deleted from it', async () => {
  const { app } = await start('off');
  await app.transactions.fork().insert(User, { id: '019a0000-0000-7000-8000-000000000000', email: 'first@example.com', name: 'First', passwordHash: 'none', role: 'USER', createdAt: new Date() });
  expect((await start('on')).demoAccounts).toEqual([]);
  expect([await app.transactions.fork().count(User), await app.transactions.fork().count(Concert)]).toEqual([1, 0]);
});

test('an account with the e-mail of the demo and a password of its own is not told as the demo', async () => {
  const { app } = await start('off');
  const { email } = DEMO_ACCOUNTS[0]!;
  const passwordHash = await app.passwords.hash('a-password-of-its-own');
  await app.transactions.fork().insert(User, { id: '019a0000-0000-7000-8000-000000000000', email, name: 'First', passwordHash, role: 'USER', createdAt: new Date() });
  expect((await start('on')).demoAccounts).toEqual([]);
});

test('SEED_DEMO=off leaves an empty database empty', async () => {
  const { app } = await start('off');
  expect([await app.transactions.fork().count(User), await app.transactions.fork().count(Concert)]).toEqual([0, 0]);
});
