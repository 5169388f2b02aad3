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
  venue: DataLoader<string, Venue>;
  concert: DataLoader<string, Concert>;
  schedule: DataLoader<string, Schedule>;
  /** By date: seats that can be reserved now. */
  availableSeats: DataLoader<string, number>;
  /** By concert: true when it has dates and no seat of any can be reserved now. */
  soldOut: DataLoader<string, boolean>;
  /** By concert, earliest first. */
  datesOfConcert: DataLoader<string, Schedule[]>;
  /** By concert, highest first. */
  pricesOfConcert: DataLoader<string, ConcertPrice[]>;
  /** By user. */
  balance: DataLoader<string, number>;
  reservation: DataLoader<string, Reservation>;
  reservedSeats: DataLoader<string, CapturedSeat[]>;
  paymentOfReservation: DataLoader<string, Payment | null>;
}

export function createLoaders(fork: () => EntityManager, catalogueReads: CatalogueReads, seats: SeatReads, reads?: ReadSet): Loaders {
  const catalogue = <T>(kind: string, load: (ids: readonly string[]) => Promise<(T | Error)[]>) => new DataLoader<string, T>((ids) => catalogueReads.each(kind, ids, load, reads));
  const byId = <T extends { id: string }>(noun: string, find: (ids: string[]) => Promise<T[]>) => async (ids: readonly string[]): Promise<(T | Error)[]> => {
    const found = new Map((await find([...ids])).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? notFound(noun));
  };
  const schedule = catalogue('date', byId('date', (ids) => fork().find(Schedule, { id: { $in: ids } })));
  const readDates = async (ids: readonly string[]) => {
    const dates = byConcert(await datesOfConcerts(fork(), [...ids]));
    return ids.map((id) => dates.get(id) ?? []);
  };
  const datesOfConcert = new DataLoader<string, Schedule[]>(async (ids) => {
    const found = await catalogueReads.each('dates', ids, readDates, reads);
    for (const dates of found) if (!(dates instanceof Error)) for (const date of dates) schedule.prime(date.id, date);
    return found;
  });
  const availableSeats = new DataLoader<string, number>(async (ids) => {
    const [free, dates] = await Promise.all([seats.available(ids, reads), schedule.loadMany(ids)]);
    return dates.map((date, index) => {
      // A date that has begun or was cancelled has no seats left: nothing is sold any more.
      if (date instanceof Error || date.cancelledAt !== null) return 0;
      const begins = seats.localTime(date.startsAt);
      if (begins <= performance.now()) return 0;
      reads?.depend(catalogueReads, begins);
      return free[index]!;
    });
  });
  return {
    venue: catalogue('venue', byId('venue', (ids) => fork().find(Venue, { id: { $in: ids } }))),
    concert: catalogue('concert', byId('concert', (ids) => fork().find(Concert, { id: { $in: ids } }))),
    schedule,
    reservation: new DataLoader(byId('reservation', (ids) => reservationsByIds(fork(), ids))),
    availableSeats,
    soldOut: new DataLoader((ids) =>
      Promise.all(
        ids.map(async (id) => {
          const dates = await datesOfConcert.load(id);
          const left = await Promise.all(dates.map((date) => availableSeats.load(date.id)));
          return dates.length > 0 && left.every((free) => free === 0);
        }),
      ),
    ),
    datesOfConcert,
    pricesOfConcert: catalogue('prices', async (ids) => {
      const found = await fork().find(ConcertPrice, { concertId: { $in: [...ids] } }, { orderBy: { amount: 'desc', grade: 'asc' } });
      const prices = byConcert(found);
      return ids.map((id) => prices.get(id) ?? []);
    }),
    balance: new DataLoader<string, number>(async (ids) => {
      const wallets = new Map((await fork().find(Wallet, { userId: { $in: [...ids] } })).map((wallet) => [wallet.userId, wallet.balance]));
      return ids.map((id) => wallets.get(id) ?? notFound('user'));
    }),
    reservedSeats: new DataLoader(async (ids) => {
      const seats = await fork().find(ReservationSeat, { reservationId: { $in: [...ids] } }, { orderBy: { number: 'asc' } });
      return ids.map((id) => seats.filter((seat) => seat.reservationId === id));
    }),
    paymentOfReservation: new DataLoader(async (ids) => {
      const payments = new Map((await fork().find(Payment, { reservationId: { $in: [...ids] } })).map((payment) => [payment.reservationId, payment]));
      return ids.map((id) => payments.get(id) ?? null);
    }),
  };
}

function byConcert<T extends { concertId: string }>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.concertId);
    if (group) group.push(row);
    else groups.set(row.concertId, [row]);
  }
  return groups;
}
