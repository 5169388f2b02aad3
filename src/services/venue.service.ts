import { LockMode } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { databaseNow } from '../database/clock.js';
import { Venue } from '../database/entities/venue.entity.js';
import { newestPage } from '../database/newest-page.js';
import type { Transactions } from '../database/transaction.js';
import { ADDRESS_MAX, changedOr, timeZoneOf, VENUE_NAME_MAX } from '../domain/catalogue.js';
import type { Counters } from '../domain/counters.js';
import type { Page } from '../domain/cursor.js';
import { notFound } from '../domain/errors.js';
import { textOf, uuidOf } from '../domain/input.js';
import { layoutOf, type SectionLayout } from '../domain/seat-map.js';
import { afterCommit } from './after-commit.js';
import type { Catalogue } from './catalogue.js';

export interface NewVenue {
  name: string;
  address?: string | null;
  timeZone: string;
  sections: SectionLayout[];
}

export type VenueChange = { [Field in keyof NewVenue]?: NewVenue[Field] | null };

const venueAddressOf = (address: string | null): string | null => (address === null ? null : textOf('address', address, ADDRESS_MAX));

/** A venue it keeps has a layout that can become a date. Changing the layout touches no date that exists. */
export class VenueService {
  constructor(
    private readonly transactions: Transactions,
    private readonly catalogue: Catalogue,
    private readonly counters: Counters,
  ) {}

  page(first: number, after: string | null): Promise<Page<Venue>> {
    return this.catalogue.one('venues', `${first}:${after}`, () => newestPage(this.transactions.fork(), Venue, first, after));
  }

  async create(input: NewVenue): Promise<Venue> {
    const values = {
      name: textOf('name', input.name, VENUE_NAME_MAX),
      address: venueAddressOf(input.address ?? null),
      timeZone: timeZoneOf('timeZone', input.timeZone),
      sections: layoutOf('sections', input.sections),
    };
    const created = await this.transactions.run(async (em) => {
      const venue = em.create(Venue, { id: uuid(), ...values, createdAt: await databaseNow(em) });
      await em.persist(venue).flush();
      return venue;
    });
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed() });
    return created;
  }

  async update(id: string, change: VenueChange): Promise<Venue> {
    const venueId = uuidOf('id', id);
    const updated = await this.transactions.run(async (em) => {
      const venue = await em.findOne(Venue, { id: venueId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (!venue) throw notFound('venue');
      const sections = changedOr('sections', change.sections, null as SectionLayout[] | null);
      venue.name = textOf('name', changedOr('name', change.name, venue.name), VENUE_NAME_MAX);
      venue.timeZone = timeZoneOf('timeZone', changedOr('timeZone', change.timeZone, venue.timeZone));
      if (change.address !== undefined) venue.address = venueAddressOf(change.address);
      if (sections) venue.sections = layoutOf('sections', sections);
      await em.flush();
      return venue;
    });
    await afterCommit(this.counters, { catalogue: () => this.catalogue.changed() });
    return updated;
  }
}
