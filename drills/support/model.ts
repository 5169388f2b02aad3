import { isServerFault } from './client.js';
import { explainRows } from './explain.js';
import type { FinalPayment, FinalReservation, FinalState } from './final-state.js';
import type { History, Operation } from './history.js';
import { OperationIndex } from './operation-index.js';
import { explainRefusals, staleReads } from './refusals.js';
import { replay, SaleModel, type SaleEvent } from './sale-model.js';

/** What a check found, in words, with the operations that show it. */
export interface Violation {
  /** Such as `double-sale`. */
  kind: string;
  what: string;
  operations: readonly Operation[];
}

export interface SaleRules {
  seatsPerUserMax: number;
  /** Dates whose holds and payments an admin has ended: such ends need no call of the buyer's. */
  cancelledDates?: ReadonlySet<string>;
}

/**
 * Judges what clients saw against what is there in the end: each acknowledged result is there, each row was asked for and not refused, the rows
 * in their order are a sale that the model would have sold, and what it leaves is what is there. Answers what is not so.
 */
export function checkSale(history: History, final: FinalState, rules: SaleRules): Violation[] {
  const index = new OperationIndex(history);
  return [
    ...explainRows(index, final, rules),
    ...replayed(index, final, rules),
    ...chargedWithoutSeat(index, final),
    ...ledgerTwice(index, final),
    ...explainRefusals(index, final, rules),
    ...serverFaults(history),
    ...staleReads(index),
  ];
}

/** Nothing that is injected excuses them: a store that is away is SERVICE_UNAVAILABLE, a process that dies gives no answer. */
function serverFaults({ operations }: History): Violation[] {
  return operations.filter(({ code }) => code !== undefined && isServerFault(code)).map((operation) => ({ kind: 'server-fault', what: `${operation.name} was answered ${operation.code}`, operations: [operation] }));
}

function replayed(index: OperationIndex, final: FinalState, rules: SaleRules): Violation[] {
  const model = new SaleModel(rules.seatsPerUserMax);
  const found = replay(model, eventsOf(final)).map(({ kind, what, reservationIds }) => ({
    kind,
    what,
    operations: reservationIds.flatMap((id) => [...index.aboutReservation(id)]),
  }));
  return [...found, ...compared(model, index, final)];
}

/** Everything that has changed, as the rows tell it. */
function eventsOf({ charges, reservations, payments, ledger }: FinalState): SaleEvent[] {
  const refunds = new Map(ledger.filter(({ kind }) => kind === 'REFUND').map(({ sourceId, balanceAfter }) => [sourceId, balanceAfter]));
  return [
    ...charges.map((charge): SaleEvent => ({ kind: 'charge', at: charge.chargedAt, charge })),
    ...reservations.flatMap(eventsOfReservation),
    ...payments.flatMap((payment) => eventsOfPayment(payment, refunds.get(payment.id))),
  ];
}

function eventsOfReservation(reservation: FinalReservation): SaleEvent[] {
  const made: SaleEvent = { kind: 'reserve', at: reservation.createdAt, reservation };
  const { status, updatedAt: at } = reservation;
  if (status !== 'CANCELLED' && status !== 'EXPIRED') return [made];
  return [made, { kind: status === 'CANCELLED' ? 'cancel' : 'expire', at, reservation }];
}

function eventsOfPayment(payment: FinalPayment, refundBalance: number | undefined): SaleEvent[] {
  const made: SaleEvent = { kind: 'pay', at: payment.paidAt, payment };
  if (payment.refundedAt === null) return [made];
  return [made, { kind: 'refund', at: payment.refundedAt, payment, balanceAfter: refundBalance ?? Number.NaN }];
}

/** The state that the model ends with, beside the one that is there. */
function compared(model: SaleModel, index: OperationIndex, { reservations, seats, balances, readAt }: FinalState): Violation[] {
  const statuses = reservations.flatMap((row): Violation[] => {
    const should = model.statusOf(row.id, readAt);
    const is = row.status === 'HELD' && row.expiresAt <= readAt ? 'EXPIRED' : row.status;
    return is === should ? [] : [{ kind: 'wrong-state', what: `reservation ${row.id} is ${is} and should be ${should}`, operations: index.aboutReservation(row.id) }];
  });
  const held = seats.flatMap(({ scheduleId, number, status, reservationId }): Violation[] => {
    const holder = model.holderOf(scheduleId, number, readAt);
    const should = holder === null ? 'AVAILABLE' : holder.status === 'CONFIRMED' ? `SOLD to ${holder.id}` : `HELD by ${holder.id}`;
    const lapsed = status === 'HELD' && model.statusOf(reservationId ?? '', readAt) === 'EXPIRED';
    const is = status === 'AVAILABLE' || lapsed ? 'AVAILABLE' : `${status} ${status === 'SOLD' ? 'to' : 'by'} ${reservationId}`;
    return is === should ? [] : [{ kind: 'wrong-seat', what: `seat ${number} of ${scheduleId} is ${is} and should be ${should}`, operations: index.aboutSeat(scheduleId, number) }];
  });
  const money = [...new Set([...balances.keys(), ...model.balances.keys()])].flatMap((userId): Violation[] => {
    const [is, should] = [balances.get(userId), model.balanceOf(userId)];
    return is === should ? [] : [{ kind: 'balance', what: `user ${userId} has ${is} and should have ${should}`, operations: moneyOf(index, userId) }];
  });
  return [...statuses, ...held, ...money];
}

/** Who has paid and was not given the money back has the seats. */
function chargedWithoutSeat(index: OperationIndex, { payments, reservations, seats }: FinalState): Violation[] {
  const rows = new Map(reservations.map((row) => [row.id, row]));
  const sold = Map.groupBy(seats.filter(({ status }) => status === 'SOLD'), ({ reservationId }) => reservationId);
  return payments.filter(({ status }) => status === 'PAID').flatMap(({ id, reservationId, userId }): Violation[] => {
    const row = rows.get(reservationId);
    const numbers = new Set((sold.get(reservationId) ?? []).map(({ number }) => number));
    const missing = row?.seatNumbers.filter((number) => !numbers.has(number)) ?? [];
    if (row?.status === 'CONFIRMED' && missing.length === 0) return [];
    const what = `user ${userId} has paid ${id}, but reservation ${reservationId} is ${row?.status ?? 'missing'} and lacks ${missing.length} seats`;
    return [{ kind: 'charged-without-seat', what, operations: index.aboutReservation(reservationId) }];
  });
}

/** Money moves once for each charge, payment and refund, and each movement is in the ledger. */
function ledgerTwice(index: OperationIndex, { ledger, charges, payments }: FinalState): Violation[] {
  const moved = Map.groupBy(ledger, ({ kind, sourceId }) => `${kind} ${sourceId}`);
  const twice = [...moved].filter(([, rows]) => rows.length > 1).map(([what, rows]) => ({ kind: 'moved-twice', what: `the ledger has ${rows.length} rows of ${what}`, operations: moneyOf(index, rows[0]!.userId) }));
  const due = [
    ...charges.map(({ id, userId }) => ({ what: `CHARGE ${id}`, userId })),
    ...payments.map(({ id, userId }) => ({ what: `PAYMENT ${id}`, userId })),
    ...payments.filter(({ status }) => status === 'REFUNDED').map(({ id, userId }) => ({ what: `REFUND ${id}`, userId })),
  ];
  const missing = due.filter(({ what }) => !moved.has(what)).map(({ what, userId }) => ({ kind: 'balance', what: `the ledger has no row of ${what}`, operations: moneyOf(index, userId) }));
  return [...twice, ...missing];
}

const moneyOf = (index: OperationIndex, userId: string): Operation[] => index.ofUser(userId).filter(({ name }) => ['charge', 'pay', 'refund'].includes(name));
