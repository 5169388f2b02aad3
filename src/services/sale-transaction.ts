import type { BriefTransaction } from '../database/brief-transaction.js';
import type { EndedReservation } from '../database/repositories/reservation.repository.js';
import { telling } from '../database/repositories/outbox.repository.js';
import {
  chargesByKey, holdersOf, liveReservationsOf, lockQuotas, lockReservationRows, lockSeatRows, lockWallets, seeSeats, shareDates, type Locked, type SeatsOfDate, type SeenSeat,
} from '../database/repositories/sale.repository.js';
import { insertCharges, moveBalances } from '../database/repositories/sale-writes.repository.js';
import { ChargeMember, moveOfCharge, toldOfCharge, type Charged, type ChargeOrder } from './charge.js';
import type { Outcome } from './group-commit.js';
import { endOverHolds, HoldMember, toldOfHold, writingHolds, type Held, type HoldOrder, type HoldPolicy } from './hold.js';
import { answerRepeated, moveOfPayment, PayMember, toldOfPayment, writingPayments, type Paid, type PayOrder } from './pay.js';
import { open, type Member } from './sale-member.js';

/**
 * One transaction of many sales. Locks first: who is alone may wait and takes them in the one order, dates, wallets, quotas, reservations, seats, each ascending; a batch waits for none
 * of these. Then every request is judged by itself; then what is left is written and committed, one statement for all. No two of the requests touch the same user, reservation or seat.
 */

export type SaleOrder = { hold: HoldOrder } | { pay: PayOrder } | { charge: ChargeOrder };
export type Sale = { held: Held } | { paid: Paid } | { charged: Charged };

export interface SalePolicy extends HoldPolicy {
  balanceMax: number;
}

export interface Sales {
  outcomes: Outcome<Sale>[];
  /** Holds that were over and gave way. */
  ended: EndedReservation[];
}

class Members {
  readonly holds: HoldMember[] = [];
  readonly pays: PayMember[] = [];
  readonly charges: ChargeMember[] = [];
  readonly outcomes: (() => Outcome<Sale>)[];

  constructor(orders: readonly SaleOrder[]) {
    this.outcomes = orders.map((order) => {
      if ('hold' in order) return this.#add(this.holds, new HoldMember(order.hold), (held) => ({ held }));
      if ('pay' in order) return this.#add(this.pays, new PayMember(order.pay), (paid) => ({ paid }));
      return this.#add(this.charges, new ChargeMember(order.charge), (charged) => ({ charged }));
    });
  }

  #add<Answer, One extends Member<unknown, Answer>>(members: One[], member: One & Member<unknown, Answer>, named: (answer: Answer) => Sale): () => Outcome<Sale> {
    members.push(member);
    return () => {
      const { outcome } = member;
      if (outcome === null) throw new Error('A request was not judged.');
      return outcome !== 'aside' && 'answer' in outcome ? { answer: named(outcome.answer) } : outcome;
    };
  }
}

/** `wait` is false where a row that somebody else has locked is not waited for: its request is put aside. */
export async function writeSales(transaction: BriefTransaction, orders: readonly SaleOrder[], policy: SalePolicy, wait: boolean): Promise<Sales> {
  const { em } = transaction;
  const members = new Members(orders);
  const { holds, pays, charges } = members;
  const { dates, wallets, earlier, seen, reservations, holders, kept, locked } = await (wait ? lockInOrder : lockAtOnce)(transaction, members);
  for (const hold of holds) hold.judgeDate(dates, wait);
  // One charge of a user at a time.
  const charged = new Map(earlier.map((charge) => [charge.userId, charge]));
  for (const charge of charges) charge.charge(wallets.rows, charged.get(charge.request.userId), policy.balanceMax, wallets.now, wait);
  const now = later(seen.now, reservations.now);
  for (const pay of pays) pay.judgeHold({ wallets: wallets.rows, dates, reservations: reservations.rows }, reservations.now, wait);
  for (const hold of holds) hold.judgeKept(kept);
  for (const hold of holds) hold.judgeSeen({ reservations: reservations.rows, holders }, policy, now, wait);
  const ended = await endOverHolds(em, holds, reservations.rows, now, wait);
  await answerRepeated(transaction, pays);

  const seats = locked ?? (await transaction.together([lockSeatRows(seatsOf([...open(holds), ...open(pays)]), wait)]))[0];
  for (const pay of open(pays)) pay.pay(seats.rows, reservations.now, wait);
  for (const hold of open(holds)) hold.hold(seats.rows, policy, later(seats.now, reservations.now), wait);
  write(transaction, members, later(reservations.now, wallets.now), wait);
  return { outcomes: members.outcomes.map((outcome) => outcome()), ended };
}

const seatsOf = (members: readonly { request: SeatsOfDate }[]): SeatsOfDate[] => members.map(({ request }) => request);

const firstLocks = ({ holds, pays, charges }: Members, wait: boolean) =>
  [
    shareDates([...new Set([...holds, ...pays].map(({ request }) => request.scheduleId))], wait),
    lockWallets([...pays, ...charges].map(({ request }) => request.userId), wait),
    chargesByKey(charges.map(({ request }) => request)),
    lockQuotas(holds.map(({ request }) => request), wait),
    liveReservationsOf(holds.map(({ request }) => request)),
  ] as const;

const paidIds = ({ pays }: Members): string[] => pays.map(({ request }) => request.reservationId);
const idsSeen = ({ holds }: Members): string[] => [...new Set(holds.flatMap(({ ownIds, overIds }) => [...ownIds, ...overIds]))];
const takenBy = ({ holds }: Members): string[] => [...new Set(holds.flatMap((hold) => hold.takenBy))];
/** Seats are left for later where holds on them are over, for those end first. */
const areLater = ({ holds }: Members): boolean => holds.some(({ overIds }) => overIds.length > 0);

/** Nobody is waited for, so no order is needed: all seats with the first message, and mostly no second one. Seats that somebody else has are looked at without a lock. */
async function lockAtOnce(transaction: BriefTransaction, members: Members) {
  const [dates, wallets, earlier, , own, paid, seats] = await transaction.together([
    ...firstLocks(members, false),
    lockReservationRows(paidIds(members), false),
    lockSeatRows(seatsOf([...members.holds, ...members.pays]), false),
  ]);
  for (const hold of members.holds) hold.see(seats, own);
  const incomplete = members.holds.filter((hold) => !hold.sawAll);
  const [others, holders, kept] = await transaction.together([lockReservationRows(idsSeen(members), false), holdersOf(takenBy(members)), seeSeats(seatsOf(incomplete))]);
  const reservations = { rows: new Map([...paid.rows, ...others.rows]), now: later(paid.now, others.now) };
  return { dates, wallets, earlier, seen: seats, reservations, holders, kept, locked: areLater(members) ? null : seats };
}

const NONE: Locked<SeenSeat> = { rows: new Map(), now: null };

/** Which reservations a hold needs is known only once its quota is locked, and they are locked before seats. */
async function lockInOrder(transaction: BriefTransaction, members: Members) {
  const { holds, pays } = members;
  const [dates, wallets, earlier, , own, seen] = await transaction.together([...firstLocks(members, true), seeSeats(seatsOf(holds))]);
  for (const hold of holds) hold.see(seen, own);
  const ids = [...new Set([...idsSeen(members), ...paidIds(members)])];
  const seats = areLater(members) ? [] : seatsOf([...holds, ...pays]);
  const [reservations, holders, locked] = await transaction.together([lockReservationRows(ids, true), holdersOf(takenBy(members)), lockSeatRows(seats, true)]);
  return { dates, wallets, earlier, seen, reservations, holders, kept: NONE, locked: areLater(members) ? null : locked };
}

/** What was judged good and is new goes with the commit. */
function write(transaction: BriefTransaction, { holds, pays, charges }: Members, at: Date | null, wait: boolean): void {
  const held = holds.flatMap(({ outcome }) => (isAnswer(outcome) && outcome.answer.isNew ? [outcome.answer] : []));
  const paid = pays.flatMap(({ outcome, wallet, request }) => (isAnswer(outcome) && outcome.answer.changes ? [{ ...outcome.answer, wallet, place: request.place }] : []));
  const charged = charges.flatMap(({ outcome, wallet }) => (isAnswer(outcome) && outcome.answer.isNew ? [{ ...outcome.answer, wallet }] : []));
  const moves = [...paid.map(({ wallet, payment }) => moveOfPayment(wallet, payment)), ...charged.map(({ wallet, charge }) => moveOfCharge(wallet, charge))];
  const told = [...held.map(toldOfHold), ...paid.map(toldOfPayment), ...charged.map(({ charge }) => toldOfCharge(charge))];
  transaction.atLast([
    ...moveBalances(moves, at!),
    ...writingHolds(held),
    ...writingPayments(paid, at!, wait),
    insertCharges(charged.map(({ charge }) => charge)),
    telling(transaction.em, told),
  ]);
}

const isAnswer = <Answer>(outcome: Outcome<Answer> | null): outcome is { answer: Answer } => outcome !== null && outcome !== 'aside' && 'answer' in outcome;

const later = (one: Date | null, other: Date | null): Date | null => (one && other ? (one > other ? one : other) : (one ?? other));
