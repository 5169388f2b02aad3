import type { Shot } from './boundary-race.js';
import { offsetOf, WINDOW_MS } from './boundary-race.js';
import type { FinalReservation, FinalState } from './final-state.js';
import type { Violation } from './model.js';

/** Never both, never neither: each reservation ended CONFIRMED with payment, ledger row and sold seats, or EXPIRED with none of them, as its buyer was told. */
export function judgeBoundary(shots: readonly Shot[], final: FinalState): Violation[] {
  const told = new Map(shots.map((shot) => [shot.reservationId, shot]));
  const rows = new Rows(final);
  return ofRace(shots, final).flatMap((row) => {
    const shot = told.get(row.id);
    const expected = shot ? (shot.paidAt === null ? NOTHING : whole(row)) : row.status === 'CONFIRMED' ? whole(row) : NOTHING;
    const is = rows.whatIsThere(row);
    if (is === expected) return [];
    return [{ kind: 'both-or-neither', what: `reservation ${row.id}, ${shot ? (shot.paidAt === null ? 'told to be over' : 'told to be paid') : 'nobody paid for it'}: there is ${is} instead of ${expected}`, operations: [] }];
  });
}

/** Those of its dates: nobody gives back there what they hold. */
function ofRace(shots: readonly Shot[], { reservations }: FinalState): FinalReservation[] {
  const ids = new Set(shots.map(({ reservationId }) => reservationId));
  const dates = new Set(reservations.filter(({ id }) => ids.has(id)).map(({ scheduleId }) => scheduleId));
  return reservations.filter(({ scheduleId }) => dates.has(scheduleId));
}

const NOTHING = 'EXPIRED, 0 payments, 0 ledger rows of 0, 0 seats';
const whole = ({ totalPrice, seatNumbers }: FinalReservation): string => `CONFIRMED, 1 payments, 1 ledger rows of ${-totalPrice}, ${seatNumbers.length} seats`;

class Rows {
  readonly #payments: Map<string, FinalState['payments']>;
  readonly #ledger: Map<string, FinalState['ledger']>;
  readonly #seats: Map<string | null, FinalState['seats']>;

  constructor(final: FinalState) {
    this.#payments = Map.groupBy(final.payments, ({ reservationId }) => reservationId);
    this.#ledger = Map.groupBy(final.ledger, ({ sourceId }) => sourceId);
    this.#seats = Map.groupBy(final.seats, ({ reservationId }) => reservationId);
  }

  whatIsThere({ id, status }: FinalReservation): string {
    const payments = this.#payments.get(id) ?? [];
    const ledger = payments.flatMap((payment) => this.#ledger.get(payment.id) ?? []);
    const amount = ledger.reduce((sum, entry) => sum + entry.amount, 0);
    return `${status}, ${payments.length} payments, ${ledger.length} ledger rows of ${amount}, ${this.#seats.get(id)?.length ?? 0} seats`;
  }
}

/** How long after the end of each hold that ran out its seat was reserved again; below 0 it would have been two buyers' at once. */
export function takeovers(shots: readonly Shot[], final: FinalState): number[] {
  const ofSeat = Map.groupBy(ofRace(shots, final), ({ scheduleId, seatNumbers }) => `${scheduleId} ${seatNumbers[0]}`);
  return [...ofSeat.values()].flatMap((rows) => {
    const sorted = rows.sort((a, b) => a.createdAt - b.createdAt);
    return sorted.slice(1).map((row, index) => row.createdAt - sorted[index]!.expiresAt);
  });
}

const BIN_MS = 5;

/** `-15…-10: 120, …`: how many payments were judged so long before or after the end of their holds. */
export function histogramOf(shots: readonly Shot[]): string {
  const bins = Array.from({ length: (2 * WINDOW_MS) / BIN_MS }, (_, index) => -WINDOW_MS + index * BIN_MS);
  const offsets = shots.map(offsetOf);
  const counted = bins.map((from) => `${from}…${from + BIN_MS}: ${offsets.filter((offset) => offset >= from && (offset < from + BIN_MS || (offset === WINDOW_MS && from + BIN_MS === WINDOW_MS))).length}`);
  return [...counted, `farther: ${offsets.filter((offset) => Math.abs(offset) > WINDOW_MS).length}`].join(', ');
}
