import type { CapturedSeat } from '../database/loaders.js';
import type { Payment } from '../database/entities/payment.entity.js';
import type { Reservation } from '../database/entities/reservation.entity.js';

/** A reservation with what a mutation has just written of it, which the fields of its answer need not read again; undefined what it does not know. */
export type KnownReservation = Reservation & { captured?: CapturedSeat[] | null; payment?: Payment | null };

export type KnownPayment = Payment & { reservation?: KnownReservation };
