import type { KeptCharge, KeptPayment, KeptReservation } from './buyer.js';
import type { FinalCharge, FinalPayment, FinalReservation, FinalState } from './final-state.js';
import type { Operation } from './history.js';
import type { SaleRules, Violation } from './model.js';
import { isUnknown, seatsKey, type OperationIndex } from './operation-index.js';

/** Compares what clients were told with the rows: what was acknowledged is there, and what is there was asked for by a call that may have done it. */
export function explainRows(index: OperationIndex, final: FinalState, rules: SaleRules): Violation[] {
  const reservations = new Map(final.reservations.map((row) => [row.id, row]));
  return [
    ...lostResults(index, final, reservations),
    ...final.reservations.flatMap((row) => explainReservation(index, row, rules)),
    ...final.payments.flatMap((row) => explainPayment(index, row, reservations.get(row.reservationId), rules)),
    ...final.charges.filter(({ key }) => key !== SETUP_KEY).flatMap((row) => explainCharge(index, row)),
    ...unknownReservesTwice(index, final),
  ];
}

/** Of the money that the builder gives. */
const SETUP_KEY = 'built';
/** Between the clocks of the database and of the drill. */
export const CLOCKS_APART_MS = 1000;

const violation = (kind: string, what: string, operations: readonly Operation[]): Violation => ({ kind, what, operations });

function lostResults(index: OperationIndex, final: FinalState, reservations: Map<string, FinalReservation>): Violation[] {
  const payments = new Map(final.payments.map((row) => [row.id, row]));
  const charges = new Map(final.charges.map((row) => [row.id, row]));
  return index.history.operations.flatMap((operation) => {
    if (operation.outcome !== 'ok') return [];
    const lost = lostOf(operation, { reservations, payments, charges });
    return lost === null ? [] : [violation('lost-result', `acknowledged, but ${lost}`, [operation])];
  });
}

interface Rows {
  reservations: Map<string, FinalReservation>;
  payments: Map<string, FinalPayment>;
  charges: Map<string, FinalCharge>;
}

function lostOf({ name, value, process }: Operation, { reservations, payments, charges }: Rows): string | null {
  switch (name) {
    case 'reserve':
    case 'cancel': {
      const told = value as KeptReservation;
      const row = reservations.get(told.id);
      if (!row) return `there is no reservation ${told.id}`;
      if (name === 'cancel' && row.status !== 'CANCELLED') return `reservation ${told.id} is ${row.status}`;
      return differs({ ...told, userId: process }, row, ['userId', 'scheduleId', 'totalPrice', 'createdAt', 'expiresAt']) ?? seatsDiffer(told, row);
    }
    case 'pay':
    case 'refund': {
      const told = value as KeptPayment;
      const row = payments.get(told.id);
      if (!row) return `there is no payment ${told.id}`;
      if (name === 'refund' && row.status !== 'REFUNDED') return `payment ${told.id} is ${row.status}`;
      return differs({ ...told, userId: process }, row, ['userId', 'reservationId', 'amount', 'balance', 'paidAt']);
    }
    case 'charge': {
      const told = value as KeptCharge;
      const row = charges.get(told.id);
      return row ? differs({ ...told, userId: process }, row, ['userId', 'amount', 'balance', 'chargedAt']) : `there is no charge ${told.id}`;
    }
    default:
      return null;
  }
}

function differs<Name extends string>(told: Record<Name, unknown>, row: Record<Name, unknown>, names: Name[]): string | null {
  const different = names.filter((name) => told[name] !== row[name]);
  return different.length === 0 ? null : different.map((name) => `its ${name} is ${String(row[name])}, not ${String(told[name])}`).join(', ');
}

const seatsDiffer = (told: KeptReservation, row: FinalReservation): string | null =>
  seatsKey('', told.seatNumbers) === seatsKey('', row.seatNumbers) ? null : `its seats are ${row.seatNumbers.join(', ')}, not ${told.seatNumbers.join(', ')}`;

/** The calls that may have made a row: acknowledged with its id, or unknown and begun before it was written. */
function makersOf(index: OperationIndex, calls: readonly Operation[], id: string, at: number): Operation[] {
  const latest = at - index.history.beganAt + CLOCKS_APART_MS;
  return calls.filter((call) => call.invokedAt <= latest && (isUnknown(call) || (call.outcome === 'ok' && (call.value as { id: string }).id === id)));
}

/** What is there without a call that may have made it: if calls were told no, their no was wrong. */
function unexplained(what: string, calls: readonly Operation[]): Violation[] {
  const told = calls.some(({ outcome }) => outcome === 'fail');
  return [violation(told ? 'effect-of-fail' : 'effect-of-nothing', told ? `${what}, though every call for it was told no` : `${what}, which nobody asked for`, calls)];
}

function explainReservation(index: OperationIndex, row: FinalReservation, rules: SaleRules): Violation[] {
  const { id, userId, scheduleId, seatNumbers, status, createdAt, updatedAt } = row;
  const reserves = index.effect('reserve', userId, seatsKey(scheduleId, seatNumbers));
  const made = makersOf(index, reserves, id, createdAt).length > 0 ? [] : unexplained(`user ${userId} got seats ${seatNumbers.join(', ')} as ${id}`, reserves);
  if (status !== 'CANCELLED' || rules.cancelledDates?.has(scheduleId)) return made;
  const cancels = index.effect('cancel', userId, id);
  return makersOf(index, cancels, id, updatedAt).length > 0 ? made : [...made, ...unexplained(`reservation ${id} was cancelled`, cancels)];
}

function explainPayment(index: OperationIndex, row: FinalPayment, reservation: FinalReservation | undefined, rules: SaleRules): Violation[] {
  const { id, userId, reservationId, paidAt, status, refundedAt } = row;
  const pays = index.effect('pay', userId, reservationId);
  const made = makersOf(index, pays, id, paidAt).length > 0 ? [] : unexplained(`reservation ${reservationId} was paid as ${id}`, pays);
  if (status !== 'REFUNDED' || rules.cancelledDates?.has(reservation?.scheduleId ?? '')) return made;
  const refunds = index.effect('refund', userId, id);
  return makersOf(index, refunds, id, refundedAt ?? 0).length > 0 ? made : [...made, ...unexplained(`payment ${id} was refunded`, refunds)];
}

function explainCharge(index: OperationIndex, { id, userId, key, amount, chargedAt }: FinalCharge): Violation[] {
  const calls = index.effect('charge', userId, key);
  const makers = makersOf(index, calls, id, chargedAt).filter(({ args }) => args['amount'] === amount);
  return makers.length > 0 ? [] : unexplained(`user ${userId} was charged ${amount} with the key ${key}`, calls);
}

/** Each unknown call may have made one reservation, no more. */
function unknownReservesTwice(index: OperationIndex, final: FinalState): Violation[] {
  const groups = Map.groupBy(final.reservations, ({ userId, scheduleId, seatNumbers }) => `${userId} ${seatsKey(scheduleId, seatNumbers)}`);
  return [...groups.values()].flatMap((rows) => {
    const { userId, scheduleId, seatNumbers } = rows[0]!;
    const calls = index.effect('reserve', userId, seatsKey(scheduleId, seatNumbers));
    const told = new Set(calls.filter(({ outcome }) => outcome === 'ok').map(({ value }) => (value as KeptReservation).id));
    const untold = rows.filter(({ id }) => !told.has(id)).length;
    const unknown = calls.filter(isUnknown).length;
    if (untold <= unknown || unknown === 0) return [];
    return [violation('effect-of-fail', `user ${userId} has ${untold} reservations of seats ${seatNumbers.join(', ')} from ${unknown} calls of unknown outcome`, calls)];
  });
}
