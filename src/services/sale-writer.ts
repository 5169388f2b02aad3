import type { CapturedReservation } from '../database/repositories/reservation.repository.js';
import { ONCE_MORE_AFTER_A_DEADLOCK, type Transactions } from '../database/transaction.js';
import { Recent } from '../domain/recent.js';
import type { Announcer } from './announcer.js';
import type { Charged, ChargeOrder } from './charge.js';
import { GroupCommit, type Outcome, type Touching } from './group-commit.js';
import type { Held, HoldOrder } from './hold.js';
import type { Paid, PayOrder } from './pay.js';
import { writeSales, type Sale, type SaleOrder, type SalePolicy } from './sale-transaction.js';

type Order = SaleOrder & Touching;
type Answer = Sale & { told: Promise<void> };

const userKey = (userId: string): string => `user ${userId}`;
const seatKeys = ({ scheduleId, numbers }: { scheduleId: string; numbers: readonly number[] }): string[] => numbers.map((number) => `${scheduleId} ${number}`);

/** Holds of this process of which the seats are remembered: what a hold has captured never changes. */
export const HOLDS_REMEMBERED_MAX = 20_000;

/** The writer of a process: reserves, payments and charges that arrive together share a transaction, and what follows its commit. */
export class SaleWriter {
  readonly #commits = new GroupCommit<Order, Answer>((orders, alone) => this.#write(orders, alone));

  readonly #captured: Recent<string, CapturedReservation>;

  constructor(
    private readonly transactions: Transactions,
    private readonly announcer: Announcer,
    private readonly policy: SalePolicy,
    holdsRememberedMax = HOLDS_REMEMBERED_MAX,
  ) {
    this.#captured = new Recent(holdsRememberedMax);
  }

  async hold(hold: HoldOrder): Promise<Held> {
    const { held } = (await this.#submit({ hold, touches: [userKey(hold.userId), ...seatKeys(hold)] })) as { held: Held };
    const { reservation: { id, userId, concertId, scheduleId }, captured } = held;
    if (captured) this.#captured.set(id, { id, userId, concertId, scheduleId, seats: captured });
    return held;
  }

  /** What a hold that was made here has captured; undefined where it was made elsewhere, or long ago. */
  capturedBy(reservationId: string): CapturedReservation | undefined {
    return this.#captured.get(reservationId);
  }

  async pay(pay: PayOrder): Promise<Paid> {
    return ((await this.#submit({ pay, touches: [userKey(pay.userId), ...seatKeys(pay)] })) as { paid: Paid }).paid;
  }

  async charge(charge: ChargeOrder): Promise<Charged> {
    return ((await this.#submit({ charge, touches: [userKey(charge.userId)] })) as { charged: Charged }).charged;
  }

  /** Takes nobody new, and resolves when everybody has an outcome. */
  close(): Promise<void> {
    return this.#commits.close();
  }

  async #submit(order: Order): Promise<Sale> {
    const answer = await this.#commits.submit(order);
    await answer.told;
    return answer;
  }

  /** The next batch does not wait for what follows the commit of this one. */
  async #write(orders: readonly Order[], alone: boolean): Promise<Outcome<Answer>[]> {
    const { outcomes, ended } = await this.transactions.runBriefly((transaction) => writeSales(transaction, orders, this.policy, alone), alone ? undefined : ONCE_MORE_AFTER_A_DEADLOCK);
    const sales = outcomes.map((outcome) => (outcome !== 'aside' && 'answer' in outcome ? outcome.answer : null));
    const told = this.announcer.committed({
      held: sales.flatMap((sale, index) => (sale && 'held' in sale ? [{ held: sale.held, order: (orders[index] as { hold: HoldOrder }).hold }] : [])),
      paid: sales.flatMap((sale, index) => (sale && 'paid' in sale && sale.paid.changes ? [{ paid: sale.paid, order: (orders[index] as { pay: PayOrder }).pay }] : [])),
      ended,
    });
    return outcomes.map((outcome) => (outcome !== 'aside' && 'answer' in outcome ? { answer: { ...outcome.answer, told } } : outcome));
  }
}
