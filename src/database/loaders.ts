import DataLoader from 'dataloader';
import type { EntityManager } from '@mikro-orm/mysql';
import type { ReadSet, ReadSource } from '../domain/read-set.js';
import { notFound } from '../domain/errors.js';
import { Concert } from './entities/concert.entity.js';
import { ConcertPrice } from './entities/concert-price.entity.js';
import { Payment } from './entities/payment.entity.js';
import type { Reservation } from './entities/reservation.entity.js';
import { ReservationSeat } from './entities/reservation-seat.entity.js';
import { Schedule } from './entities/schedule.entity.js';
import { Venue } from './entities/venue.entity.js';
import { Wallet } from './entities/wallet.entity.js';
import { datesOfConcerts } from './repositories/schedule.repository.js';
import { reservationsByIds } from './repositories/reservation.repository.js';

/** A seat as a reservation has it. */
export type CapturedSeat = Pick<ReservationSeat, 'number' | 'seatId' | 'grade' | 'price'>;

/** Reads what anybody may read, from memory where that is up to date. */
export interface CatalogueReads extends ReadSource {
  /** Undefined where it would have to be read, now or soon. */
  known<T>(kind: string, id: string, reads?: ReadSet): T | undefined;
  each<T>(kind: string, ids: readonly string[], load: (ids: readonly string[]) => Promise<(T | Error)[]>, reads?: ReadSet): Promise<(T | Error)[]>;
}

/** Tells seats from memory where that is up to date. */
export interface SeatReads {
  /** Seats that are neither held nor sold. */
  available(scheduleIds: readonly string[], reads?: ReadSet): Promise<number[]>;
  /** When that instant of the database's clock is, by `performance.now()`. */
  localTime(at: Date): number;
}

/** At most one SQL statement per kind for everything an operation asks of it. Made anew for each operation. */
export interface Loaders {
  readonly venue: DataLoader<string, Venue>;
  readonly concert: DataLoader<string, Concert>;
  readonly schedule: DataLoader<string, Schedule>;
  /** By date: seats that can be reserved now. */
  readonly availableSeats: DataLoader<string, number>;
  /** By concert: true when it has dates and no seat of any can be reserved now. */
  readonly soldOut: DataLoader<string, boolean>;
  /** By concert, earliest first. */
  readonly datesOfConcert: DataLoader<string, Schedule[]>;
  /** By concert, highest first. */
  readonly pricesOfConcert: DataLoader<string, ConcertPrice[]>;
  /** By user. */
  readonly balance: DataLoader<string, number>;
  readonly reservation: DataLoader<string, Reservation>;
  readonly reservedSeats: DataLoader<string, CapturedSeat[]>;
  readonly paymentOfReservation: DataLoader<string, Payment | null>;
  /** At once where it is in memory. */
  date(id: string): Schedule | Promise<Schedule>;
  /** It was changed: a later field of the same operation reads it anew. */
  forgetReservation(id: string): void;
}

type Load<T> = (ids: readonly string[]) => Promise<(T | Error)[]>;

/** Most operations need one of them, or none: each is made when it is asked for. */
class OperationLoaders implements Loaders {
  #venue: Loaders['venue'] | undefined;
  #concert: Loaders['concert'] | undefined;
  #schedule: Loaders['schedule'] | undefined;
  #availableSeats: Loaders['availableSeats'] | undefined;
  #soldOut: Loaders['soldOut'] | undefined;
  #datesOfConcert: Loaders['datesOfConcert'] | undefined;
  #pricesOfConcert: Loaders['pricesOfConcert'] | undefined;
  #balance: Loaders['balance'] | undefined;
  #reservation: Loaders['reservation'] | undefined;
  #reservedSeats: Loaders['reservedSeats'] | undefined;
  #paymentOfReservation: Loaders['paymentOfReservation'] | undefined;

  constructor(
    private readonly fork: () => EntityManager,
    private readonly catalogue: CatalogueReads,
    private readonly seats: SeatReads,
    private readonly reads: ReadSet | undefined,
  ) {}

  get venue(): Loaders['venue'] {
    return (this.#venue ??= this.#ofCatalogue('venue', byId('venue', (ids) => this.fork().find(Venue, { id: { $in: ids } }))));
  }

  get concert(): Loaders['concert'] {
    return (this.#concert ??= this.#ofCatalogue('concert', byId('concert', (ids) => this.fork().find(Concert, { id: { $in: ids } }))));
  }

  get schedule(): Loaders['schedule'] {
    return (this.#schedule ??= this.#ofCatalogue('date', byId('date', (ids) => this.fork().find(Schedule, { id: { $in: ids } }))));
  }

  get availableSeats(): Loaders['availableSeats'] {
    return (this.#availableSeats ??= new DataLoader(async (ids) => {
      const [free, dates] = await Promise.all([this.seats.available(ids, this.reads), this.schedule.loadMany(ids)]);
      return dates.map((date, index) => {
        // A date that has begun or was cancelled has no seats left: nothing is sold any more.
        if (date instanceof Error || date.cancelledAt !== null) return 0;
        const begins = this.seats.localTime(date.startsAt);
        if (begins <= performance.now()) return 0;
        this.reads?.depend(this.catalogue, begins);
        return free[index]!;
      });
    }));
  }

  get soldOut(): Loaders['soldOut'] {
    return (this.#soldOut ??= new DataLoader((ids) =>
      Promise.all(
        ids.map(async (id) => {
          const dates = await this.datesOfConcert.load(id);
          const left = await Promise.all(dates.map((date) => this.availableSeats.load(date.id)));
          return dates.length > 0 && left.every((free) => free === 0);
        }),
      ),
    ));
  }

  get datesOfConcert(): Loaders['datesOfConcert'] {
    return (this.#datesOfConcert ??= new DataLoader(async (ids) => {
      const found = await this.catalogue.each('dates', ids, (some) => this.#readDates(some), this.reads);
      for (const dates of found) if (!(dates instanceof Error)) for (const date of dates) this.schedule.prime(date.id, date);
      return found;
    }));
  }

  get pricesOfConcert(): Loaders['pricesOfConcert'] {
    return (this.#pricesOfConcert ??= this.#ofCatalogue('prices', async (ids) => {
      const found = await this.fork().find(ConcertPrice, { concertId: { $in: [...ids] } }, { orderBy: { amount: 'desc', grade: 'asc' } });
      const prices = byConcert(found);
      return ids.map((id) => prices.get(id) ?? []);
    }));
  }

  get balance(): Loaders['balance'] {
    return (this.#balance ??= new DataLoader<string, number>(async (ids) => {
      const wallets = new Map((await this.fork().find(Wallet, { userId: { $in: [...ids] } })).map((wallet) => [wallet.userId, wallet.balance]));
      return ids.map((id) => wallets.get(id) ?? notFound('user'));
    }));
  }

  get reservation(): Loaders['reservation'] {
    return (this.#reservation ??= new DataLoader(byId('reservation', (ids) => reservationsByIds(this.fork(), ids))));
  }

  get reservedSeats(): Loaders['reservedSeats'] {
    return (this.#reservedSeats ??= new DataLoader(async (ids) => {
      const seats = await this.fork().find(ReservationSeat, { reservationId: { $in: [...ids] } }, { orderBy: { number: 'asc' } });
      return ids.map((id) => seats.filter((seat) => seat.reservationId === id));
    }));
  }

  get paymentOfReservation(): Loaders['paymentOfReservation'] {
    return (this.#paymentOfReservation ??= new DataLoader(async (ids) => {
      const payments = new Map((await this.fork().find(Payment, { reservationId: { $in: [...ids] } })).map((payment) => [payment.reservationId, payment]));
      return ids.map((id) => payments.get(id) ?? null);
    }));
  }

  date(id: string): Schedule | Promise<Schedule> {
    return this.catalogue.known<Schedule>('date', id, this.reads) ?? this.schedule.load(id);
  }

  forgetReservation(id: string): void {
    this.#reservation?.clear(id);
    this.#reservedSeats?.clear(id);
    this.#paymentOfReservation?.clear(id);
  }

  async #readDates(ids: readonly string[]): Promise<Schedule[][]> {
    const dates = byConcert(await datesOfConcerts(this.fork(), [...ids]));
    return ids.map((id) => dates.get(id) ?? []);
  }

  #ofCatalogue<T>(kind: string, load: Load<T>): DataLoader<string, T> {
    return new DataLoader<string, T>((ids) => this.catalogue.each(kind, ids, load, this.reads));
  }
}

export const createLoaders = (fork: () => EntityManager, catalogue: CatalogueReads, seats: SeatReads, reads?: ReadSet): Loaders => new OperationLoaders(fork, catalogue, seats, reads);

const byId = <T extends { id: string }>(noun: string, find: (ids: string[]) => Promise<T[]>): Load<T> =>
  async (ids) => {
    const found = new Map((await find([...ids])).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? notFound(noun));
  };

function byConcert<T extends { concertId: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.concertId);
    if (group) group.push(row);
    else groups.set(row.concertId, [row]);
  }
  return groups;
}
