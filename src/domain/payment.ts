import { isOver } from './hold.js';
import { InsufficientBalance, ReservationNotPayable } from './refusals.js';
import type { ReservationStatus } from './states.js';

interface Payable {
  status: ReservationStatus;
  expiresAt: Date;
  totalPrice: number;
}

/** Whether a hold can be paid, judged at one instant of the database's clock, at which its row is locked. */
export function assertPayable(hold: Payable, date: { startsAt: Date; cancelledAt: Date | null }, balance: number, now: Date): void {
  if (isOver(hold, now)) throw new ReservationNotPayable('EXPIRED');
  if (hold.status !== 'HELD') throw new ReservationNotPayable(hold.status);
  if (date.cancelledAt) throw new ReservationNotPayable('CANCELLED');
  // A hold ends with the start of its date at the latest; the date may have been moved forward since.
  if (date.startsAt <= now) throw new ReservationNotPayable('EXPIRED');
  if (balance < hold.totalPrice) throw new InsufficientBalance(balance, hold.totalPrice);
}
