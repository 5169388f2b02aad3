import { inSnapshot } from '../../src/database/check-invariants.js';
import type { BuiltConcert } from '../../test/support/builder.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient, Reply } from './client.js';
import type { Random } from './random.js';
import type { World } from './world.js';

/** Money that is moved all the time between few wallets and the house, and read all the time: none may come or go. */

export interface BankSize {
  wallets: number;
  rounds: number;
  /** Of each kind, of one wallet, at once. */
  atOnce: number;
}

const BALANCE = 20_000;
const PRICE = 1000;
const CHARGE_MAX = 3000;
const AUDIT_PAUSE_MS = 10;

export class Bank {
  readonly buyers: DrillBuyer[] = [];
  reads = 0;
  readonly levels = new Set<string>();
  #over = false;
  #levelsAskedAt = performance.now();

  constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    private readonly client: DrillClient,
    private readonly size: BankSize,
  ) {}

  async open(): Promise<void> {
    const { wallets, rounds, atOnce } = this.size;
    const concert = await this.world.build.concert({ seats: wallets * rounds * atOnce, price: PRICE });
    const accounts = await this.world.build.buyers(wallets, { balance: BALANCE });
    this.buyers.push(...accounts.map((account) => new DrillBuyer(this.client, account)));
    const moving = Promise.all(this.buyers.map((buyer, index) => this.#move(buyer, concert, index))).finally(() => (this.#over = true));
    await Promise.all([moving, this.#audit()]);
  }

  /** Charges, payments and refunds of one wallet, all at once; the order of everything is a matter of chance. */
  async #move(buyer: DrillBuyer, concert: BuiltConcert, wallet: number): Promise<void> {
    const random = this.run.random.fork(`wallet ${wallet}`);
    let hasPass = false;
    let payments: string[] = [];
    for (let round = 0; round < this.size.rounds; round += 1) {
      if (!hasPass) buyer.queueToken = (await this.world.build.admit(concert.id, [buyer.account]))[0]!.queueToken;
      const holds = await this.#hold(buyer, concert.scheduleId, (wallet * this.size.rounds + round) * this.size.atOnce);
      const paid = await this.#atOnce(buyer, random, `round ${round}`, holds, payments);
      hasPass = paid.length === 0;
      // Some are kept; the rest is given back in the next round.
      payments = paid.filter(() => random.chance(0.8));
    }
  }

  async #hold(buyer: DrillBuyer, scheduleId: string, firstSeat: number): Promise<string[]> {
    const numbers = Array.from({ length: this.size.atOnce }, (_, index) => firstSeat + index + 1);
    const replies = await Promise.all(numbers.map((number) => this.client.untilKnown((via) => buyer.reserve(scheduleId, [number], via))));
    return replies.flatMap((reply) => (reply.outcome === 'ok' ? [reply.value.id] : []));
  }

  async #atOnce(buyer: DrillBuyer, random: Random, round: string, holds: string[], payments: string[]): Promise<string[]> {
    const paid: string[] = [];
    const charges = Array.from({ length: this.size.atOnce }, (_, index) => ({ key: `${round} ${index}`, amount: random.between(1, CHARGE_MAX) }));
    const acts: (() => Promise<Reply<unknown>>)[] = [
      ...charges.map(({ key, amount }) => () => this.client.untilKnown((via) => buyer.charge(amount, key, via))),
      ...payments.map((id) => () => this.client.untilKnown((via) => buyer.refund(id, via))),
      ...holds.map((id) => async () => {
        const reply = await this.client.untilKnown((via) => buyer.pay(id, via));
        if (reply.outcome === 'ok') paid.push(reply.value.id);
        return reply;
      }),
    ];
    await Promise.all(random.shuffle(acts).map((act) => act()));
    return paid;
  }

  /** What all wallets hold is what was charged, less what is paid and not refunded: in every snapshot, while it all moves. */
  async #audit(): Promise<void> {
    while (!this.#over) {
      const wrong = await inSnapshot(this.world.app.orm, async (query) => {
        const rows = await query(AUDIT, [this.buyers.map(({ id }) => id)]);
        if (performance.now() - this.#levelsAskedAt > LEVELS_KEPT_MS) {
          this.#levelsAskedAt = performance.now();
          for (const { level } of await query(LEVELS)) this.levels.add(String(level));
        }
        return rows.filter(({ balance, ledger, explained }) => Number(balance) !== Number(ledger) || Number(balance) !== Number(explained));
      });
      this.reads += 1;
      await this.client.pause(AUDIT_PAUSE_MS);
      if (wrong.length > 0) {
        this.run.violations([{ kind: 'bank', what: `in one snapshot ${wrong.length} wallets do not hold what was moved: ${JSON.stringify(wrong[0])}`, operations: [] }]);
      }
    }
  }
}

const AUDIT = `select w.user_id as user, w.balance,
    (select coalesce(sum(l.amount), 0) from ledger_entry l where l.user_id = w.user_id) as ledger,
    (select coalesce(sum(c.amount), 0) from charge c where c.user_id = w.user_id)
      - (select coalesce(sum(p.amount), 0) from payment p where p.user_id = w.user_id and p.status = 'PAID') as explained
  from wallet w where w.user_id in (?)`;

/** Asked more often, the server goes on answering what it has answered before. */
const LEVELS_KEPT_MS = 150;

/** Of transactions of clients that may write: those that audit do not, and the server's own are at its own level. */
const LEVELS =
  'select distinct trx_isolation_level as level from information_schema.innodb_trx where trx_is_read_only = 0 and trx_autocommit_non_locking = 0 and trx_mysql_thread_id <> 0';
