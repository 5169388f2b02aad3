import type { CapturedSeat, Loaders } from '../database/loaders.js';
import type { Payment } from '../database/entities/payment.entity.js';
import type { Reservation } from '../database/entities/reservation.entity.js';

/** What a mutation has just written need not be read again by the fields of its answer. */
export function know(loaders: Loaders, { reservation, seats, payment }: { reservation: Reservation; seats: CapturedSeat[]; payment: Payment | null }): void {
  const { id } = reservation;
  forget(loaders, id);
  loaders.reservation.prime(id, reservation);
  loaders.reservedSeats.prime(id, seats);
  loaders.paymentOfReservation.prime(id, payment);
}

/** A later field of the same operation reads it anew. */
export function forget(loaders: Loaders, reservationId: string): void {
  loaders.reservation.clear(reservationId);
  loaders.reservedSeats.clear(reservationId);
  loaders.paymentOfReservation.clear(reservationId);
}
