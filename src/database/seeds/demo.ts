import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { laidOutSeatsOf, seatCountOf } from '../../domain/seat-map.js';
import type { Role } from '../../domain/states.js';
import { databaseNow } from '../clock.js';
import { Concert } from '../entities/concert.entity.js';
import { Schedule } from '../entities/schedule.entity.js';
import { User } from '../entities/user.entity.js';
import { Venue } from '../entities/venue.entity.js';
import { Wallet } from '../entities/wallet.entity.js';
import { putPrices } from '../repositories/concert.repository.js';
import { insertSeats } from '../repositories/seat.repository.js';
import { isDuplicateKey, type Transactions } from '../transaction.js';
import { DEMO_CONCERTS, type DemoConcert, type DemoVenue } from './demo-catalogue.js';

export interface DemoAccount {
  email: string;
  password: string;
  name: string;
  role: Role;
}

export const DEMO_ACCOUNTS: readonly DemoAccount[] = [
  { email: 'demo@example.com', password: 'demo-password', name: 'Demo Buyer', role: 'USER' },
  { email: 'admin@example.com', password: 'admin-password', name: 'Demo Admin', role: 'ADMIN' },
];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const SEOUL_OFFSET_MS = 9 * HOUR_MS;

/**
 * Fills an empty database (no users, no concerts) with the demo, in one transaction: all of it or nothing. Of several instances that start at
 * once one does it, because the first rows have unique e-mails: the others wait for its commit and then find the accounts there.
 * Answers whether this call did it.
 */
export async function seedDemo(transactions: Transactions, hashPassword: (password: string) => Promise<string>): Promise<boolean> {
  if (!(await isEmpty(transactions.fork()))) return false;
  const accounts = await Promise.all(DEMO_ACCOUNTS.map(async (account) => ({ ...account, passwordHash: await hashPassword(account.password) })));
  try {
    return await transactions.run(async (em) => {
      if (!(await isEmpty(em))) return false;
      const now = await databaseNow(em);
      for (const { email, name, role, passwordHash } of accounts) {
        const id = uuid();
        await em.insert(User, { id, email, name, passwordHash, role, createdAt: now });
        await em.insert(Wallet, { userId: id, balance: 0, version: 1 });
      }
      const venueIds = new Map<DemoVenue, string>();
      for (const concert of DEMO_CONCERTS) {
        const venueId = venueIds.get(concert.venue) ?? (await seedVenue(em, concert.venue, now));
        venueIds.set(concert.venue, venueId);
        await seedConcert(em, concert, venueId, now);
      }
      return true;
    });
  } catch (error) {
    if (isDuplicateKey(error, 'user_email_unique')) return false;
    throw error;
  }
}

async function isEmpty(em: EntityManager): Promise<boolean> {
  const [row] = await em.execute<{ used: number }[]>('select exists (select 1 from user) or exists (select 1 from concert) as used');
  return Number(row!.used) === 0;
}

async function seedVenue(em: EntityManager, venue: DemoVenue, now: Date): Promise<string> {
  const id = uuid();
  await em.insert(Venue, { id, ...venue, createdAt: now });
  return id;
}

async function seedConcert(em: EntityManager, { venue, title, artist, opensInMinutes, prices, datesInDays, hour }: DemoConcert, venueId: string, now: Date): Promise<void> {
  const id = uuid();
  const saleOpensAt = new Date(now.getTime() + opensInMinutes * MINUTE_MS);
  await em.insert(Concert, { id, venueId, title, artist, saleOpensAt, saleClosesAt: null, createdAt: now });
  await putPrices(em, id, prices);
  const priceOf = new Map(prices.map(({ grade, amount }) => [grade, amount]));
  for (const days of datesInDays) {
    const scheduleId = uuid();
    await em.insert(Schedule, { id: scheduleId, concertId: id, startsAt: inSeoul(now, days, hour), totalSeats: seatCountOf(venue.sections), createdAt: now });
    await insertSeats(em, scheduleId, laidOutSeatsOf(venue.sections), priceOf);
  }
}

/** Full hour by the clock of Seoul, so many days from now. */
function inSeoul(now: Date, days: number, hour: number): Date {
  const midnight = Math.floor((now.getTime() + SEOUL_OFFSET_MS) / DAY_MS) * DAY_MS - SEOUL_OFFSET_MS;
  return new Date(midnight + days * DAY_MS + hour * HOUR_MS);
}
