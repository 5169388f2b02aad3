import type { FinalPayment, FinalReservation, FinalState } from './final-state.js';
import type { History, Operation } from './history.js';
import type { SaleRules, Violation } from './model.js';
import type { OperationIndex } from './operation-index.js';
import { seatKey } from './sale-model.js';

/** A definite no must have a reason in what was there at that time. */
export function explainRefusals(index: OperationIndex, final: FinalState, rules: SaleRules): Violation[] {
  const reasons = new Reasons(index, final, rules);
  return index.history.operations.flatMap((operation) => {
    if (operation.outcome !== 'fail') return [];
    const problem = reasons.problemOf(operation);
    return problem === null ? [] : [{ kind: 'refusal-unexplained', what: `${operation.name} was told ${operation.code}, but ${problem}`, operations: [operation] }];
  });
}

/** How long the gate may believe what is no longer so: entries without a row, and sales. */
const GATE_BELIEVES_MS = 10_000;
const CLOCKS_APART_MS = 1000;

interface Span {
  from: number;
  to: number;
}

class Reasons {
  readonly #reservations: Map<string, FinalReservation>;
  readonly #payments: Map<string, FinalPayment>;
  readonly #seatsBusy: Map<string, Span[]>;
  readonly #balances = new Map<string, Set<number>>();
  readonly #ofUser: Map<string, FinalReservation[]>;

  constructor(
    private readonly index: OperationIndex,
    private readonly final: FinalState,
    private readonly rules: SaleRules,
  ) {
    this.#reservations = new Map(final.reservations.map((row) => [row.id, row]));
    this.#payments = new Map(final.payments.map((row) => [row.id, row]));
    this.#ofUser = Map.groupBy(final.reservations, ({ userId }) => userId);
    this.#seatsBusy = seatsBusyOf(index.history, final);
    for (const { userId, balanceAfter } of final.ledger) {
      const known = this.#balances.get(userId);
      if (known) known.add(balanceAfter);
      else this.#balances.set(userId, new Set([0, balanceAfter]));
    }
  }

  problemOf(operation: Operation): string | null {
    switch (operation.code) {
      case 'SeatsUnavailable':
        return this.#seats(operation);
      case 'SeatLimitExceeded':
        return this.#limit(operation);
      case 'InsufficientBalance':
        return this.#balance(operation);
      case 'ReservationNotPayable':
      case 'ReservationNotCancellable':
        return this.#status(operation);
      case 'IdempotencyKeyReused':
        return this.#key(operation);
      case 'NOT_FOUND':
        return this.#found(operation);
      default:
        return null;
    }
  }

  /** Each seat was somebody's, or was being tried by somebody else, at some moment of the call or shortly before. */
  #seats({ args, value, invokedAt, endedAt, index }: Operation): string | null {
    const numbers = (value as { seatNumbers?: number[] } | null)?.seatNumbers ?? [];
    const free = numbers.filter((number) => {
      const spans = this.#seatsBusy.get(seatKey(String(args['scheduleId']), number)) ?? [];
      return !spans.some(({ from, to }) => from <= endedAt! && to >= invokedAt) && !this.#triedByOthers(String(args['scheduleId']), number, index, invokedAt, endedAt!);
    });
    return free.length === 0 ? null : `nobody had or tried ${free.map((number) => `seat ${number}`).join(', ')}`;
  }

  #triedByOthers(scheduleId: string, number: number, self: number, invokedAt: number, endedAt: number): boolean {
    return this.index.aboutSeat(scheduleId, number).some((other) => {
      if (other.index === self || other.code === 'SeatsUnavailable' || other.invokedAt > endedAt) return false;
      // What is unknown may be at work for longer than its client waits.
      return other.outcome !== 'fail' && other.outcome !== 'ok' ? true : other.endedAt! + GATE_BELIEVES_MS >= invokedAt;
    });
  }

  #limit({ process, args }: Operation): string | null {
    const seats = (this.#ofUser.get(process) ?? []).reduce((sum, row) => sum + row.seatNumbers.length, (args['seatNumbers'] as number[]).length);
    return seats > this.rules.seatsPerUserMax ? null : `the user never had more than ${seats} seats with these`;
  }

  #balance({ process, args, value }: Operation): string | null {
    const { currentBalance, required } = value as { currentBalance: number; required: number };
    const row = this.#reservations.get(String(args['reservationId']));
    if (currentBalance >= required) return `${currentBalance} covers ${required}`;
    if (row && row.totalPrice !== required) return `the price is ${row.totalPrice}`;
    return currentBalance === 0 || this.#balances.get(process)?.has(currentBalance) ? null : `the balance was never ${currentBalance}`;
  }

  #status({ args, value }: Operation): string | null {
    const row = this.#reservations.get(String(args['reservationId']));
    const told = (value as { refusedStatus: string }).refusedStatus;
    if (!row) return 'there is no such reservation';
    if (this.rules.cancelledDates?.has(row.scheduleId)) return null;
    const now = row.status === 'HELD' && row.expiresAt <= this.final.readAt ? 'EXPIRED' : row.status;
    const later = told === 'CONFIRMED' && now === 'REFUNDED';
    return now === told || later ? null : `the reservation is ${now}, which does not follow ${told}`;
  }

  #key({ process, key, args }: Operation): string | null {
    const reused = this.final.charges.some((row) => row.userId === process && row.key === key && row.amount !== args['amount']);
    return reused ? null : 'there is no charge with that key and another amount';
  }

  #found({ name, process, args }: Operation): string | null {
    const row = name === 'refund' ? this.#payments.get(String(args['paymentId'])) : this.#reservations.get(String(args['reservationId']));
    return row?.userId === process ? 'there it is' : null;
  }
}

/** For each seat the times in which it was reserved, as far as the gate may have believed it. */
function seatsBusyOf({ beganAt }: History, { reservations, payments }: FinalState): Map<string, Span[]> {
  const refundedAt = new Map(payments.map((row) => [row.reservationId, row.refundedAt]));
  const busy = new Map<string, Span[]>();
  for (const row of reservations) {
    const end = { HELD: row.expiresAt, EXPIRED: row.expiresAt, CANCELLED: row.expiresAt, CONFIRMED: Infinity, REFUNDED: refundedAt.get(row.id) ?? Infinity }[row.status];
    const span = { from: row.createdAt - beganAt - CLOCKS_APART_MS, to: end - beganAt + GATE_BELIEVES_MS + CLOCKS_APART_MS };
    for (const number of row.seatNumbers) {
      const key = seatKey(row.scheduleId, number);
      const spans = busy.get(key);
      if (spans) spans.push(span);
      else busy.set(key, [span]);
    }
  }
  return busy;
}

/** What was read after an acknowledged change shows it. */
export function staleReads(index: OperationIndex): Violation[] {
  return index.history.operations.flatMap((read) => {
    if (read.outcome !== 'ok' || (read.name !== 'reservation' && read.name !== 'me')) return [];
    return shownBy(read).flatMap(({ id, status }) => {
      const before = index.aboutReservation(id).filter(({ outcome, endedAt }) => outcome === 'ok' && endedAt! < read.invokedAt);
      const missed = before.filter(({ name }) => !(SHOWS[name] ?? [status]).includes(status));
      if (missed.length === 0) return [];
      return [{ kind: 'stale-read', what: `reservation ${id} was shown as ${status} after an acknowledged ${missed.map(({ name }) => name).join(', ')}`, operations: [...missed, read] }];
    });
  });
}

const SHOWS: Record<string, string[]> = { pay: ['CONFIRMED', 'REFUNDED'], refund: ['REFUNDED'], cancel: ['CANCELLED'], reserve: ['HELD', 'CONFIRMED', 'EXPIRED', 'CANCELLED', 'REFUNDED'] };

function shownBy({ name, args, value }: Operation): { id: string; status: string }[] {
  if (name === 'me') return (value as { reservations: { id: string; status: string }[] }).reservations;
  const shown = value as { id: string; status: string } | null;
  return [shown ?? { id: String(args['id']), status: 'missing' }];
}

