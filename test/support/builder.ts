import { v7 as uuid } from 'uuid';
import type { App } from '../../src/app.js';
import { Charge } from '../../src/database/entities/charge.entity.js';
import { Concert } from '../../src/database/entities/concert.entity.js';
import { ConcertPrice } from '../../src/database/entities/concert-price.entity.js';
import { LedgerEntry } from '../../src/database/entities/ledger-entry.entity.js';
import { QueuePass } from '../../src/database/entities/queue-pass.entity.js';
import { Schedule } from '../../src/database/entities/schedule.entity.js';
import { Seat } from '../../src/database/entities/seat.entity.js';
import { Session } from '../../src/database/entities/session.entity.js';
import { User } from '../../src/database/entities/user.entity.js';
import { Venue } from '../../src/database/entities/venue.entity.js';
import { Wallet } from '../../src/database/entities/wallet.entity.js';
import type { Role } from '../../src/domain/states.js';
import { keys } from '../../src/redis/keys.js';
import { changedBehind } from './behind.js';

export interface Buyer {
  id: string;
  email: string;
  accessToken: string;
  sessionId: string;
}

/** A buyer with an ACTIVE pass: what `reserve` needs. */
export type AdmittedBuyer = Buyer & { queueToken: string };

export interface BuiltConcert {
  id: string;
  venueId: string;
  scheduleIds: string[];
  /** The first date. */
  scheduleId: string;
}

export interface ConcertOptions {
  seats?: number;
  dates?: number;
  price?: number;
  saleOpensAt?: Date;
  saleClosesAt?: Date | null;
  startsAt?: Date;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SEATS_PER_ROW = 10;

/** Arranges by writing rows and signing tokens, so that a test's hundreds of buyers cost no password hash and no request. */
export class Builder {
  /** Far from the places that joining gives. */
  #sequence = 500_000_000_000;

  constructor(private readonly app: App) {}

  async buyer(options: { balance?: number; role?: Role } = {}): Promise<Buyer> {
    const [buyer] = await this.buyers(1, options);
    return buyer!;
  }

  async buyers(count: number, { balance = 0, role = 'USER' }: { balance?: number; role?: Role } = {}): Promise<Buyer[]> {
    const em = this.app.transactions.fork();
    const now = new Date();
    const people = Array.from({ length: count }, () => ({ id: uuid(), sessionId: uuid() }));
    await em.insertMany(User, people.map(({ id }) => ({ id, email: `${id}@example.com`, name: `Buyer ${id.slice(-4)}`, passwordHash: 'none', role, createdAt: now })));
    await em.insertMany(Wallet, people.map(({ id }) => ({ userId: id, balance, version: 1 })));
    if (balance > 0) {
      const charges = people.map(({ id: userId }) => ({ id: uuid(), userId, idempotencyKey: 'built.', amount: balance, balance, chargedAt: now }));
      await em.insertMany(Charge, charges);
      await em.insertMany(LedgerEntry, charges.map(({ id, userId }) => ({ userId, kind: 'CHARGE' as const, amount: balance, balanceAfter: balance, sourceId: id, createdAt: now })));
    }
    await em.insertMany(
      Session,
      people.map(({ id, sessionId }) => ({ id: sessionId, userId: id, generation: 1, rotatedAt: now, expiresAt: new Date(now.getTime() + 7 * DAY_MS), revokedAt: null, createdAt: now })),
    );
    return Promise.all(
      people.map(async ({ id, sessionId }) => ({
        id,
        sessionId,
        email: `${id}@example.com`,
        accessToken: (await this.app.tokens.signAccess({ id, role }, sessionId, now)).token,
      })),
    );
  }

  async concert(options: ConcertOptions = {}): Promise<BuiltConcert> {
    const { seats = 50, dates = 1, price = 10_000, saleOpensAt = new Date(Date.now() - HOUR_MS), saleClosesAt = null } = options;
    const startsAt = options.startsAt ?? new Date(Date.now() + 30 * DAY_MS);
    const em = this.app.transactions.fork();
    const [id, venueId, createdAt] = [uuid(), uuid(), new Date()];
    await em.insert(Venue, { id: venueId, name: 'Test Hall', address: null, timeZone: 'Asia/Seoul', sections: [], createdAt });
    await em.insert(Concert, {
      id, venueId, title: 'A Test Night', artist: 'The Testers', saleOpensAt, saleClosesAt,
      queueAdmitCount: null, queueAdmitIntervalMs: null, queueActiveMax: null, createdAt,
    });
    await em.insert(ConcertPrice, { concertId: id, grade: 'R', amount: price });
    const scheduleIds: string[] = [];
    for (let date = 0; date < dates; date += 1) {
      const scheduleId = uuid();
      scheduleIds.push(scheduleId);
      await em.insert(Schedule, { id: scheduleId, concertId: id, startsAt: new Date(startsAt.getTime() + date * DAY_MS), totalSeats: seats, createdAt });
      await em.insertMany(
        Seat,
        Array.from({ length: seats }, (_, index) => ({
          id: uuid(), scheduleId, number: index + 1, section: 'Floor', row: String(Math.floor(index / SEATS_PER_ROW) + 1), grade: 'R', price,
          status: 'AVAILABLE' as const, reservationId: null, heldUntil: null,
        })),
      );
    }
    // While Redis is away nobody can be told.
    await changedBehind(this.app).catch(() => undefined);
    return { id, venueId, scheduleIds, scheduleId: scheduleIds[0]! };
  }

  /** Gives buyers an ACTIVE pass as an admission would, without the waiting. */
  async admit(concertId: string, buyers: Buyer[], passTtlMs = this.app.config.queue.passTtlMs): Promise<AdmittedBuyer[]> {
    // Whoever asks first makes the queue usable in this Redis: what is written before that is not believed.
    await this.app.services.queue.position({ userId: uuid(), role: 'USER', sessionId: uuid(), tokenExpiresAt: new Date() }, concertId);
    const expiresAt = Date.now() + passTtlMs;
    const admitted = buyers.map((buyer) => ({ buyer, place: (this.#sequence += 1) }));
    const write = this.app.redis.pipeline();
    for (const { buyer, place } of admitted) {
      write.zadd(keys.queueActive(concertId), expiresAt, buyer.id);
      write.hset(keys.queuePlaces(concertId), buyer.id, place);
    }
    write.sadd(keys.queues(), concertId);
    await write.exec();
    await this.app.transactions.fork().insertMany(
      QueuePass,
      admitted.map(({ buyer, place }) => ({ concertId, userId: buyer.id, place, admittedAt: new Date(), expiresAt: new Date(expiresAt), endedAt: null, endedBy: null })),
    );
    return Promise.all(
      admitted.map(async ({ buyer, place }) => ({ ...buyer, queueToken: await this.app.tokens.signQueue({ concertId, userId: buyer.id, place }, new Date()) })),
    );
  }

  /** One buyer, signed in, admitted to the concert. */
  async admittedBuyer(concertId: string, options: { balance?: number } = {}): Promise<AdmittedBuyer> {
    const [admitted] = await this.admit(concertId, [await this.buyer(options)]);
    return admitted!;
  }
}
