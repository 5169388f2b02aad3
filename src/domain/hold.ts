import { SaleClosed, SaleNotOpen, SeatLimitExceeded } from './refusals.js';
import type { ReservationStatus, SeatStatus } from './states.js';

/** What decides whether seats can be held, all of it judged at one instant of the database's clock. */

/** When seats of a date are sold, and the clock that decides. */
export interface SaleWindow {
  now: Date;
  opensAt: Date;
  closesAt: Date | null;
  startsAt: Date;
}

interface ReservationState {
  status: ReservationStatus;
  expiresAt: Date;
  seatCount: number;
}

interface SeatState {
  status: SeatStatus;
  reservationId?: string | null;
  heldUntil?: Date | null;
}

/** A hold whose end has come, though nobody may have written it down yet. */
export const isOver = ({ status, expiresAt }: Pick<ReservationState, 'status' | 'expiresAt'>, now: Date): boolean => status === 'HELD' && expiresAt <= now;

/** Sold, or held by a hold that still lasts. */
export const isTaken = ({ status, heldUntil }: Pick<SeatState, 'status' | 'heldUntil'>, now: Date): boolean =>
  status === 'SOLD' || (status === 'HELD' && heldUntil! > now);

/** A cancelled date sells nothing, not even what is held. */
export function assertNotCancelled({ cancelledAt }: { cancelledAt?: Date | null }): void {
  if (cancelledAt) throw new SaleClosed(cancelledAt);
}

/** A date is sold until it begins, or until the sale closes before. */
export function assertOnSale({ now, opensAt, closesAt, startsAt }: SaleWindow): void {
  if (now < opensAt) throw new SaleNotOpen(opensAt);
  const end = closesAt && closesAt < startsAt ? closesAt : startsAt;
  if (now >= end) throw new SaleClosed(end);
}

/** A hold lasts for the time given to everyone, and never beyond the start of its date: from then on nothing is sold. */
export const endOfHold = (begins: Date, ttlMs: number, { startsAt }: Pick<SaleWindow, 'startsAt'>): Date =>
  new Date(Math.min(begins.getTime() + ttlMs, startsAt.getTime()));

/** `own` are the user's HELD and CONFIRMED reservations of the concert. */
export function assertWithinLimit(own: readonly ReservationState[], asked: number, limit: number, now: Date): void {
  const counted = own.filter((reservation) => !isOver(reservation, now)).reduce((sum, reservation) => sum + reservation.seatCount, 0);
  if (counted + asked > limit) throw new SeatLimitExceeded(limit);
}

/** The user's own live hold, when the seats asked for are exactly its seats. */
export function ownHoldOf<Own extends ReservationState & { id: string }>(seats: readonly SeatState[], own: readonly Own[], now: Date): Own | undefined {
  const id = seats[0]?.reservationId;
  if (!id || seats.some((seat) => seat.reservationId !== id)) return undefined;
  return own.find((hold) => hold.id === id && hold.status === 'HELD' && !isOver(hold, now) && hold.seatCount === seats.length);
}
