import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { Concert } from '../database/entities/concert.entity.js';
import { Venue } from '../database/entities/venue.entity.js';
import { newestPage } from '../database/newest-page.js';
import { lockConcert, putPrices } from '../database/repositories/concert.repository.js';
import { datesOfConcerts } from '../database/repositories/schedule.repository.js';
import { repriceAvailable } from '../database/repositories/seat.repository.js';
import type { Transactions } from '../database/transaction.js';
import { ARTIST_MAX, changedOr, pricesOf, salePeriodOf, TITLE_MAX, type GradePrice } from '../domain/catalogue.js';
import type { Page } from '../domain/cursor.js';
import type { Counters } from '../domain/counters.js';
import { badInput } from '../domain/errors.js';
import { textOf, uuidOf } from '../domain/input.js';
import type { ReadSet } from '../domain/read-set.js';
import { afterCommit } from './after-commit.js';
import type { Catalogue } from './catalogue.js';
import type { SeatBoard } from './seat-board.js';

export interface NewConcert {
  venueId: string;
  title: string;
  artist: string;
  saleOpensAt: Date;
  saleClosesAt?: Date | null;
  prices: GradePrice[];
}

export type ConcertChange = { [Field in 'title' | 'artist' | 'saleOpensAt' | 'saleClosesAt']?: NewConcert[Field] | null };

/** Whoever changed something, and everybody else a moment later, reads it as it is now; while the database is away, as it last was. */
export class ConcertService {
  constructor(
    private readonly transactions: Transactions,
    private readonly catalogue: Catalogue,
    private readonly board: SeatBoard,
    private readonly counters: Counters,
  ) {}

  page(first: number, after: string | null, reads?: ReadSet): Promise<Page<Concert>> {
    return this.catalogue.one('concerts', `${first}:${after}`, () => newestPage(this.transactions.fork(), Concert, first, after), reads);
  }

  find(id: string, reads?: ReadSet): Promise<Concert | null> {
    const concertId = uuidOf('id', id);
    return this.catalogue.one('concert-or-none', concertId, () => this.transactions.fork().findOne(Concert, { id: concertId }), reads);
  }

  async create(input: NewConcert): Promise<Concert> {
    const venueId = uuidOf('venueId', input.venueId);
    const prices = pricesOf('prices', input.prices);
    const values = {
      title: textOf('title', input.title, TITLE_MAX),
      artist: textOf('artist', input.artist, ARTIST_MAX),
      ...salePeriodOf(input.saleOpensAt, input.saleClosesAt ?? null),
    };
    const created = await this.transactions.run(async (em) => {
      if (!(await em.findOne(Venue, { id: venueId }, { fields: ['id'] }))) throw badInput('venueId', 'There is no such venue.');
      const own = { queueAdmitCount: null, queueAdmitIntervalMs: null, queueActiveMax: null };
      const concert = em.create(Concert, { id: uuid(), venueId, ...values, ...own, createdAt: await databaseNow(em) });
      await em.persist(concert).flush();
      await putPrices(em, concert.id, prices);
      return concert;
    });
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed() });
    return created;
  }

  async update(id: string, change: ConcertChange): Promise<Concert> {
    const concertId = uuidOf('id', id);
    const updated = await this.transactions.run(async (em) => {
      const concert = await lockConcert(em, concertId);
      concert.title = textOf('title', changedOr('title', change.title, concert.title), TITLE_MAX);
      concert.artist = textOf('artist', changedOr('artist', change.artist, concert.artist), ARTIST_MAX);
      const opensAt = changedOr('saleOpensAt', change.saleOpensAt, concert.saleOpensAt);
      const closesAt = change.saleClosesAt === undefined ? concert.saleClosesAt : change.saleClosesAt;
      Object.assign(concert, salePeriodOf(opensAt, closesAt ?? null));
      await em.flush();
      return concert;
    });
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed() });
    return updated;
  }

  /** The list and every seat that is available get the new prices together. What is held or sold keeps the price it was taken at. */
  async setPrices(concertId: string, prices: readonly GradePrice[]): Promise<Concert> {
    const id = uuidOf('concertId', concertId);
    const checked = pricesOf('prices', prices);
    const { concert, dates } = await this.transactions.run(async (em) => {
      const concert = await lockConcert(em, id);
      await putPrices(em, id, checked);
      const dates = (await datesOfConcerts(em, [id])).map((date) => date.id).sort();
      for (const scheduleId of dates) await repriceAvailable(em, scheduleId, checked);
      return { concert, dates };
    });
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed(), seats: () => this.board.renew(dates) });
    return concert;
  }
}
