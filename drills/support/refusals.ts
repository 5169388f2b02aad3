import { REQUEST_DEADLINE_MS } from '../../src/server/limits.js';
import { CLOCKS_APART_MS } from './explain.js';
import type { FinalPayment, FinalReservation, FinalState } from './final-state.js';
import type { History, Operation } from './history.js';
import type { SaleRules, Violation } from './model.js';
import { isUnknown, type OperationIndex } from './operation-index.js';
import { seatKey } from './sale-model.js';

/** A definite no must have a reason in what was there at that time. */
export function explainRefusals(index: OperationIndex, final: FinalState, rules: SaleRules): Violation[] {
  const reasons = new Reasons(index, final, rules);
  return index.history.operations.flatMap((operation) => {
    if (operation.outcome !== 'fail' || !SALE.has(operation.name)) return [];
    const problem = reasons.problemOf(operation);
    return problem === null ? [] : [{ kind: 'refusal-unexplained', what: `${operation.name} was told ${operation.code}, but ${problem}`, operations: [operation] }];
  });
}

const SALE = new Set(['reserve', 'cancel', 'charge', 'pay', 'refund']);

/** How long the gate may believe what is no longer so: the attempt of somebody who never came back, and sales. */
const GATE_BELIEVES_MS = 10_000;

/** When something was so, in milliseconds of the history. */
interface Span {
  from: number;
  to: number;
}

/** The rows' times are those of another clock than the calls'. */
const wasDuring = ({ from, to }: Span, { invokedAt, endedAt }: Operation): boolean => from - CLOCKS_APART_MS <= endedAt! && to + CLOCKS_APART_MS >= invokedAt;

class Reasons {
  readonly #reservations: Map<string, FinalReservation>;
  readonly #payments: Map<string, FinalPayment>;
  readonly #paymentOf: Map<string, FinalPayment>;
  readonly #seatsBusy: Map<string, Span[]>;
  readonly #silences: Silences;
  readonly #unknownsEnd = new Map<Operation, number>();
  readonly #balances: Map<string, (Span & { balance: number })[]>;
  readonly #ofUser: Map<string, FinalReservation[]>;
  readonly #dates: Set<string>;
  readonly #concertOf: Map<string, string>;

  constructor(
    private readonly index: OperationIndex,
    private readonly final: FinalState,
    private readonly rules: SaleRules,
  ) {
    this.#reservations = new Map(final.reservations.map((row) => [row.id, row]));
    this.#payments = new Map(final.payments.map((row) => [row.id, row]));
    this.#paymentOf = new Map(final.payments.map((row) => [row.reservationId, row]));
    this.#ofUser = Map.groupBy(final.reservations, ({ userId }) => userId);
    this.#dates = new Set(final.seats.map(({ scheduleId }) => scheduleId));
    this.#concertOf = new Map(final.reservations.map(({ scheduleId, concertId }) => [scheduleId, concertId]));
    this.#silences = new Silences(index.history);
    this.#seatsBusy = seatsBusyOf(index.history, final, this.#silences);
    this.#balances = balancesOf(index.history, final);
  }

  /** Refusals that no drill provokes of a sale, such as SaleNotOpen, PaymentNotRefundable, BAD_USER_INPUT and RATE_LIMITED, have no reason here. */
  problemOf(operation: Operation): string | null {
    switch (`${operation.name} ${operation.code}`) {
      case 'reserve SeatsUnavailable':
        return this.#seats(operation);
      case 'reserve SeatLimitExceeded':
        return this.#limit(operation);
      case 'reserve SaleClosed':
        return this.rules.cancelledDates?.has(String(operation.args['scheduleId'])) ? null : 'the date was not cancelled';
      // Of the queue: judged where that is.
      case 'reserve QUEUE_TOKEN_REQUIRED':
      case 'reserve QUEUE_TOKEN_WAITING':
      case 'reserve QUEUE_TOKEN_EXPIRED':
        return null;
      case 'reserve NOT_FOUND':
        return this.#dates.has(String(operation.args['scheduleId'])) ? 'there is the date' : null;
      case 'pay InsufficientBalance':
        return this.#balance(operation);
      case 'pay ReservationNotPayable':
      case 'cancel ReservationNotCancellable':
        return this.#status(operation);
      case 'pay NOT_FOUND':
      case 'cancel NOT_FOUND':
        return this.#reservations.get(String(operation.args['reservationId']))?.userId === operation.process ? 'there it is' : null;
      case 'refund NOT_FOUND':
        return this.#payments.get(String(operation.args['paymentId']))?.userId === operation.process ? 'there it is' : null;
      case 'charge IdempotencyKeyReused':
        return this.#key(operation);
      case 'charge BalanceLimitExceeded':
        return this.#room(operation);
      default:
        return `nothing explains ${operation.code}`;
    }
  }

  /** Each seat was somebody's, or was being tried by somebody else, at some moment of the call or shortly before. */
  #seats(operation: Operation): string | null {
    const scheduleId = String(operation.args['scheduleId']);
    const numbers = refusedSeatsOf(operation);
    const free = numbers.filter((number) => {
      const spans = this.#seatsBusy.get(seatKey(scheduleId, number)) ?? [];
      return !spans.some((span) => wasDuring(span, operation)) && !this.#triedByOthers(scheduleId, number, operation);
    });
    if (numbers.length === 0) return 'no seat is named';
    return free.length === 0 ? null : `nobody had or tried ${free.map((number) => `seat ${number}`).join(', ')}`;
  }

  /** The gate lets the same user pass. */
  #triedByOthers(scheduleId: string, number: number, { process, invokedAt, endedAt }: Operation): boolean {
    return this.index.aboutSeat(scheduleId, number).some((other) => other.process !== process && other.invokedAt <= endedAt! && this.#triedUntil(other, number) >= invokedAt);
  }

  #triedUntil(other: Operation, number: number): number {
    if (isUnknown(other)) return this.#unknownUntil(other);
    if (other.code !== 'SeatsUnavailable') return other.endedAt! + GATE_BELIEVES_MS;
    // Who was refused one of two seats by the database had passed the gate with both, and gave them back before the answer.
    return refusedSeatsOf(other).includes(number) ? -Infinity : other.endedAt!;
  }

  /** The server may work on for as long as a request has, and leaves an entry at the gate when its process dies. */
  #unknownUntil(operation: Operation): number {
    if (operation.endedAt === null) return Infinity;
    const until = this.#unknownsEnd.get(operation) ?? this.#silences.endAfter(operation.endedAt) + REQUEST_DEADLINE_MS + GATE_BELIEVES_MS;
    this.#unknownsEnd.set(operation, until);
    return until;
  }

  /** Seats of one user count together for all dates of a concert, as long as they are held or paid. */
  #limit(operation: Operation): string | null {
    const { process, args } = operation;
    const concertId = this.#concertOf.get(String(args['scheduleId']));
    const asked = (args['seatNumbers'] as number[]).length;
    const own = (this.#ofUser.get(process) ?? []).filter((row) => (concertId ?? row.concertId) === row.concertId && wasDuring(this.#livesOf(row), operation));
    const seats = own.reduce((sum, row) => sum + row.seatNumbers.length, asked);
    return seats > this.rules.seatsPerUserMax ? null : `the user had no more than ${seats} seats of the concert with these`;
  }

  #balance(operation: Operation): string | null {
    const { currentBalance, required } = operation.value as { currentBalance: number; required: number };
    const row = this.#reservations.get(String(operation.args['reservationId']));
    if (currentBalance >= required) return `${currentBalance} covers ${required}`;
    if (row?.totalPrice !== required) return `the price is ${row?.totalPrice}`;
    return this.#hadBalance(operation, currentBalance) ? null : `the balance was not ${currentBalance} then`;
  }

  #room(operation: Operation): string | null {
    const { limit, currentBalance } = operation.value as { limit: number; currentBalance: number };
    if (currentBalance + (operation.args['amount'] as number) <= limit) return `there was room below ${limit}`;
    return this.#hadBalance(operation, currentBalance) ? null : `the balance was not ${currentBalance} then`;
  }

  #hadBalance(operation: Operation, told: number): boolean {
    const balances = this.#balances.get(operation.process);
    return balances ? balances.some((span) => span.balance === told && wasDuring(span, operation)) : told === 0;
  }

  #status(operation: Operation): string | null {
    const row = this.#reservations.get(String(operation.args['reservationId']));
    const told = (operation.value as { refusedStatus: string }).refusedStatus;
    if (!row) return 'there is no such reservation';
    const span = this.#refusedAs(operation.name, told, row);
    if (!span) return `the reservation is ${row.status}, which does not follow ${told}`;
    return wasDuring(span, operation) ? null : `it was not ${told} then`;
  }

  /** When it was what the call was refused for. */
  #refusedAs(name: string, told: string, row: FinalReservation): Span | null {
    const payment = this.#paymentOf.get(row.id);
    const { from, to } = this.#livesOf(row);
    const ended = { from: to, to: Infinity };
    if (told === 'EXPIRED' && (row.status === 'HELD' || row.status === 'EXPIRED')) return ended;
    if (told === 'REFUNDED' && row.status === 'REFUNDED') return ended;
    // A repeated payment or cancellation is no refusal.
    if (told === 'CONFIRMED' && name === 'cancel' && payment) return { from: this.#ms(payment.paidAt), to };
    if (told !== 'CANCELLED' || name !== 'pay') return null;
    // Holds of a cancelled date are not paid any more, and end a little later.
    if (this.rules.cancelledDates?.has(row.scheduleId) && !payment) return { from, to: Infinity };
    return row.status === 'CANCELLED' ? ended : null;
  }

  #key(operation: Operation): string | null {
    const { process, key, args } = operation;
    const reused = this.final.charges.some((row) => row.userId === process && row.key === key && row.amount !== args['amount'] && wasDuring({ from: this.#ms(row.chargedAt), to: Infinity }, operation));
    return reused ? null : 'there was no charge with that key and another amount';
  }

  #livesOf(row: FinalReservation): Span {
    const end = { HELD: row.expiresAt, EXPIRED: row.expiresAt, CANCELLED: row.updatedAt, CONFIRMED: Infinity, REFUNDED: this.#paymentOf.get(row.id)?.refundedAt ?? Infinity }[row.status];
    return { from: this.#ms(row.createdAt), to: this.#ms(end) };
  }

  #ms(at: number): number {
    return at - this.index.history.beganAt;
  }
}

const refusedSeatsOf = ({ value }: Operation): number[] => (value as { seatNumbers?: number[] } | null)?.seatNumbers ?? [];

/**
 * For each seat the times in which it was reserved, as far as the gate may have believed it: its entry ends with the hold, however the hold ended, or a while
 * after the attempt where nobody told it of the commit.
 */
function seatsBusyOf({ beganAt }: History, { reservations, payments }: FinalState, silences: Silences): Map<string, Span[]> {
  const refundedAt = new Map(payments.map((row) => [row.reservationId, row.refundedAt]));
  const busy = new Map<string, Span[]>();
  for (const { id, status, scheduleId, seatNumbers, createdAt, expiresAt } of reservations) {
    const from = createdAt - beganAt;
    const refunded = status === 'REFUNDED' ? refundedAt.get(id) : null;
    const soldUntil = status === 'CONFIRMED' ? Infinity : refunded ? silences.endAfter(refunded - beganAt) + GATE_BELIEVES_MS : -Infinity;
    const span = { from, to: Math.max(expiresAt - beganAt, from + GATE_BELIEVES_MS, soldUntil) };
    for (const number of seatNumbers) push(busy, seatKey(scheduleId, number), span);
  }
  return busy;
}

/** A Redis that was frozen does what it was sent when it goes on, and not before: then the gate's entries begin. */
class Silences {
  readonly #reserves: Operation[];

  constructor({ operations }: History) {
    this.#reserves = operations.filter(({ name, endedAt }) => name === 'reserve' && endedAt !== null).sort((a, b) => a.endedAt! - b.endedAt!);
  }

  /** The last answer that was none until the gate has judged somebody who came after that time; the time itself where nothing was silent. */
  endAfter(time: number): number {
    let end = time;
    for (let next = this.#firstAfter(time); next < this.#reserves.length; next += 1) {
      const { invokedAt, endedAt, outcome, code } = this.#reserves[next]!;
      if (invokedAt > time && (outcome === 'ok' || code === 'SeatsUnavailable')) break;
      if (outcome === 'unknown') end = endedAt!;
    }
    return end;
  }

  #firstAfter(time: number): number {
    let [from, to] = [0, this.#reserves.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#reserves[middle]!.endedAt! > time) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}

/** Each balance from its ledger row to the next one. */
function balancesOf({ beganAt }: History, { charges, payments, ledger }: FinalState): Map<string, (Span & { balance: number })[]> {
  const times = new Map<string, number | null>([
    ...charges.map((row) => [`CHARGE ${row.id}`, row.chargedAt] as const),
    ...payments.flatMap((row) => [[`PAYMENT ${row.id}`, row.paidAt] as const, [`REFUND ${row.id}`, row.refundedAt] as const]),
  ]);
  const balances = new Map<string, (Span & { balance: number })[]>();
  for (const { userId, kind, sourceId, balanceAfter } of ledger) {
    const from = (times.get(`${kind} ${sourceId}`) ?? beganAt) - beganAt;
    const before = balances.get(userId)?.at(-1);
    if (before) before.to = from;
    else push(balances, userId, { balance: 0, from: -Infinity, to: from });
    push(balances, userId, { balance: balanceAfter, from, to: Infinity });
  }
  return balances;
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
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

