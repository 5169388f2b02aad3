import DataLoader from 'dataloader';
import type { EntityManager } from '@mikro-orm/mysql';
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
import { availableSeatsOf, soldOutConcerts } from './repositories/seat.repository.js';
import type { LastKnown } from './last-known.js';
import { reservationsByIds } from './repositories/reservation.repository.js';

/** A seat as a reservation has it. */
export type CapturedSeat = Pick<ReservationSeat, 'number' | 'seatId' | 'grade' | 'price'>;

/** One SQL statement per kind for everything an operation asks of it. Made anew for each operation, so nothing stale is served; the catalogue also while the database is away. */
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

export function createLoaders(fork: () => EntityManager, lastKnown: LastKnown): Loaders {
  const catalogue = <T>(kind: string, load: (ids: readonly string[]) => Promise<(T | Error)[]>) =>
    new DataLoader<string, T>((ids) => lastKnown.each(ids.map((id) => `${kind}:${id}`), () => load(ids)));
  const byId = <T extends { id: string }>(noun: string, find: (ids: string[]) => Promise<T[]>) => async (ids: readonly string[]): Promise<(T | Error)[]> => {
    const found = new Map((await find([...ids])).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? notFound(noun));
  };
  return {
    venue: catalogue('venue', byId('venue', (ids) => fork().find(Venue, { id: { $in: ids } }))),
    concert: catalogue('concert', byId('concert', (ids) => fork().find(Concert, { id: { $in: ids } }))),
    schedule: catalogue('date', byId('date', (ids) => fork().find(Schedule, { id: { $in: ids } }))),
    reservation: new DataLoader(byId('reservation', (ids) => reservationsByIds(fork(), ids))),
    availableSeats: catalogue('available', async (ids) => {
      const counts = await availableSeatsOf(fork(), [...ids]);
      return ids.map((id) => counts.get(id) ?? 0);
    }),
    soldOut: catalogue('sold-out', async (ids) => {
      const soldOut = await soldOutConcerts(fork(), [...ids]);
      return ids.map((id) => soldOut.has(id));
    }),
    datesOfConcert: catalogue('dates', async (ids) => {
      const dates = byConcert(await datesOfConcerts(fork(), [...ids]));
      return ids.map((id) => dates.get(id) ?? []);
    }),
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
