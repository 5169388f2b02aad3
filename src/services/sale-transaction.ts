import type { EntityManager } from '@mikro-orm/mysql';
import type { EndedReservation } from '../database/repositories/reservation.repository.js';
import { tell } from '../database/repositories/outbox.repository.js';
import { lockReservationRows, lockSeatRows, lockWallets, shareDates, type SeatsOfDate } from '../database/repositories/sale.repository.js';
import { moveBalances } from '../database/repositories/sale-writes.repository.js';
import { ChargeMember, judgeCharges, moveOf as moveOfCharge, writeCharges, type Charged, type ChargeOrder } from './charge.js';
import type { Outcome } from './group-commit.js';
import { endOverHolds, HoldMember, seeHolds, writeHolds, type Held, type HoldOrder, type HoldPolicy } from './hold.js';
import { answerRepeated, moveOf as moveOfPayment, PayMember, writePayments, type Paid, type PayOrder } from './pay.js';
import { open, type Member } from './sale-member.js';

/**
 * One transaction of many sales. Locks in the one order: dates, wallets, quotas, reservations, seats, each ascending; then every request is judged by itself; then what
 * is left is written, one statement for all. No two of the requests touch the same user, reservation or seat.
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
export async function writeSales(em: EntityManager, orders: readonly SaleOrder[], policy: SalePolicy, wait: boolean): Promise<Sales> {
  const members = new Members(orders);
  const { holds, pays, charges } = members;
  const dates = await shareDates(em, [...new Set([...holds, ...pays].map(({ request }) => request.scheduleId))], wait);
  for (const hold of holds) hold.judgeDate(dates, wait);
  const { wallets, now: walletsAt } = await lockWallets(em, [...pays, ...charges].map(({ request }) => request.userId), wait);
  await judgeCharges(em, charges, wallets, policy.balanceMax, walletsAt, wait);

  const seen = await seeHolds(em, open(holds));
  const wanted = [...new Set([...seen.ids, ...pays.map(({ request }) => request.reservationId)])];
  const { reservations, now } = await lockReservationRows(em, wanted, wait);
  for (const pay of pays) pay.judgeHold({ wallets, dates, reservations }, now, wait);
  for (const hold of open(holds)) hold.judgeSeen(reservations, policy, later(seen.now, now)!, wait);
  const ended = await endOverHolds(em, holds, reservations, later(seen.now, now)!);
  await answerRepeated(em, pays);

  const seatsOf = [...open(holds).map(({ request }) => request), ...open(pays).map(({ request }) => request)] satisfies SeatsOfDate[];
  const locked = await lockSeatRows(em, seatsOf, wait);
  for (const pay of open(pays)) pay.pay(locked.seats, now, wait);
  for (const hold of open(holds)) hold.hold(locked.seats, policy, locked.now, wait);
  await write(em, members, later(now, walletsAt));
  return { outcomes: members.outcomes.map((outcome) => outcome()), ended };
}

/** What was judged good and is new. */
async function write(em: EntityManager, { holds, pays, charges }: Members, at: Date | null): Promise<void> {
  const held = holds.flatMap(({ outcome }) => (isAnswer(outcome) && outcome.answer.isNew ? [outcome.answer] : []));
  const paid = pays.flatMap(({ outcome, wallet, request }) => (isAnswer(outcome) && outcome.answer.changes ? [{ ...outcome.answer, wallet, place: request.place }] : []));
  const charged = charges.flatMap(({ outcome, wallet }) => (isAnswer(outcome) && outcome.answer.isNew ? [{ ...outcome.answer, wallet }] : []));
  await moveBalances(em, [...paid.map(({ wallet, payment }) => moveOfPayment(wallet, payment)), ...charged.map(({ wallet, charge }) => moveOfCharge(wallet, charge))], at!);
  const happenings = [
    ...(await writeHolds(em, held)),
    ...(await writePayments(em, paid, paid.map(({ place }) => place), at!)),
    ...(await writeCharges(em, charged.map(({ charge }) => charge))),
  ];
  await tell(em, happenings);
}

const isAnswer = <Answer>(outcome: Outcome<Answer> | null): outcome is { answer: Answer } => outcome !== null && outcome !== 'aside' && 'answer' in outcome;

const later = (one: Date | null, other: Date | null): Date | null => (one && other ? (one > other ? one : other) : (one ?? other));
