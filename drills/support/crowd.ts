import type { BuiltConcert } from '../../test/support/builder.js';
import type { DrillRun } from '../drill.js';
import type { DrillBuyer } from './buyer.js';
import type { DrillClient, Reply, Target } from './client.js';
import type { Random } from './random.js';

/** How people behave; shares from 0 to 1. */
export interface Habits {
  /** Want one of the first few seats, as most do. */
  wantsHotSeat: number;
  hotSeats: number;
  wantsTwoSeats: number;
  /** Seats tried in one visit. */
  triesMax: number;
  /** Leave a hold behind and never come back. */
  walksAway: number;
  /** Give a hold back. */
  cancels: number;
  /** Try to pay before they have charged. */
  paysBeforeCharging: number;
  /** Close the window when they get no answer, instead of trying again. */
  givesUp: number;
  /** Want their money back at once. */
  refunds: number;
}

export const USUAL_HABITS: Habits = {
  wantsHotSeat: 0.5, hotSeats: 5, wantsTwoSeats: 0.2, triesMax: 3, walksAway: 0.1, cancels: 0.1, paysBeforeCharging: 0.1, givesUp: 0.15, refunds: 0,
};

export interface Show extends BuiltConcert {
  seats: number;
  price: number;
}

const POLL_MS = 400;
const TURNS_MAX = 60;
const ANOTHER_LOOK_MS = 200;

/** People who want seats of one date: they join, wait, reserve, pay, change their minds and lose their connections. */
export class Crowd {
  readonly #paid = new Set<string>();
  #keys = 0;

  constructor(
    private readonly run: DrillRun,
    /** Tells its chances apart from those of another crowd of the same drill. */
    private readonly name: string,
    private readonly client: DrillClient,
    readonly buyers: readonly DrillBuyer[],
    private readonly show: Show,
    public habits: Habits,
  ) {}

  /** How many payments were acknowledged. */
  get payments(): number {
    return this.#paid.size;
  }

  /** All at once, as far as the client goes. */
  async joinAll(): Promise<void> {
    await Promise.all(this.buyers.map((buyer) => this.join(buyer)));
  }

  async join(buyer: DrillBuyer): Promise<void> {
    const reply = await this.known(buyer, (via) => buyer.join(this.show.id, via));
    if (reply.outcome === 'fail') this.#unexpected(buyer, 'join', reply.code);
  }

  /** `atOnce` people are served at a time; everybody gets a turn, and people come back until it is over. */
  async visits(atOnce: number, over: () => boolean): Promise<void> {
    const random = this.run.random.fork(`turns at ${this.name}`);
    let turn: DrillBuyer[] = [];
    let everybody = false;
    let visit = 0;
    const next = (): DrillBuyer | undefined => {
      if (everybody && over()) return undefined;
      if (turn.length === 0) turn = random.shuffle(this.buyers);
      const buyer = turn.pop();
      if (turn.length === 0) everybody = true;
      return buyer;
    };
    const serve = async (): Promise<void> => {
      for (let buyer = next(); buyer; buyer = next()) await this.visit(buyer, random.fork((visit += 1)));
    };
    await Promise.all(Array.from({ length: atOnce }, serve));
  }

  /** One person's attempt to get seats. */
  async visit(buyer: DrillBuyer, random: Random): Promise<void> {
    for (let tries = 0, turns = 0; tries < this.habits.triesMax && turns < TURNS_MAX; turns += 1) {
      const seats = this.#wanted(random);
      const reply = await this.known(buyer, (via) => buyer.reserve(this.show.scheduleId, seats, via), random);
      if (reply.outcome === 'unknown') return;
      if (reply.outcome === 'ok') return this.#withHold(buyer, reply.value, random);
      if (!(await this.#mayTryAgain(buyer, reply.code))) return;
      if (reply.code === 'SeatsUnavailable') tries += 1;
    }
  }

  /** Until every seat is sold: whoever sees a free one takes and pays it, and keeps it. */
  async sellOut(sold: () => Promise<number>, withinMs: number): Promise<number> {
    this.habits = { ...this.habits, walksAway: 0, cancels: 0, refunds: 0, givesUp: 0 };
    const random = this.run.random.fork(`the last seats at ${this.name}`);
    const endsAt = performance.now() + withinMs;
    for (;;) {
      const count = await sold();
      if (count === this.show.seats || performance.now() > endsAt) return count;
      await Promise.all(random.sample(this.buyers, Math.max(1, Math.ceil((this.show.seats - count) / 2))).map((buyer) => this.#takeFree(buyer, random)));
      await this.client.pause(ANOTHER_LOOK_MS);
    }
  }

  /** Asks until the outcome is known, though some give up before. */
  async known<Value>(buyer: DrillBuyer, attempt: (via: Target) => Promise<Reply<Value>>, random?: Random): Promise<Reply<Value>> {
    const first = await attempt(this.client.anyTarget());
    if (first.outcome !== 'unknown' || random?.chance(this.habits.givesUp)) return first;
    const reply = await this.client.untilKnown(attempt);
    if (reply.outcome === 'unknown') this.run.violations([{ kind: 'never-known', what: `user ${buyer.id} never got to know the outcome of ${reply.operation.name}`, operations: [reply.operation] }]);
    return reply;
  }

  async #takeFree(buyer: DrillBuyer, random: Random): Promise<void> {
    const seen = await this.known(buyer, (via) => buyer.seats(this.show.scheduleId, 'AVAILABLE', via));
    if (seen.outcome === 'fail') return void (await this.#mayTryAgain(buyer, seen.code));
    if (seen.outcome === 'unknown' || seen.value.length === 0) return;
    const { number } = random.pick(seen.value);
    const reply = await this.known(buyer, (via) => buyer.reserve(this.show.scheduleId, [number], via));
    if (reply.outcome === 'ok') await this.#withHold(buyer, reply.value, random);
    if (reply.outcome === 'fail') await this.#mayTryAgain(buyer, reply.code);
  }

  #wanted(random: Random): number[] {
    const { wantsHotSeat, hotSeats, wantsTwoSeats } = this.habits;
    const first = 1 + random.below(random.chance(wantsHotSeat) ? Math.min(hotSeats, this.show.seats) : this.show.seats);
    return random.chance(wantsTwoSeats) ? [first, (first % this.show.seats) + 1] : [first];
  }

  async #mayTryAgain(buyer: DrillBuyer, code: string): Promise<boolean> {
    switch (code) {
      case 'SeatsUnavailable':
        return true;
      case 'SeatLimitExceeded':
        return false;
      case 'QUEUE_TOKEN_WAITING':
        await this.#untilAdmitted(buyer);
        return true;
      case 'QUEUE_TOKEN_REQUIRED':
      case 'QUEUE_TOKEN_EXPIRED':
        await this.join(buyer);
        return true;
      default:
        this.#unexpected(buyer, 'reserve', code);
        return false;
    }
  }

  async #untilAdmitted(buyer: DrillBuyer): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      const reply = await this.known(buyer, (via) => buyer.position(this.show.id, via));
      if (reply.outcome !== 'ok' || reply.value?.status !== 'WAITING') return;
      await this.client.pause(POLL_MS);
    }
  }

  async #withHold(buyer: DrillBuyer, { id, totalPrice }: { id: string; totalPrice: number }, random: Random): Promise<void> {
    if (random.chance(this.habits.walksAway)) return;
    if (random.chance(this.habits.cancels)) return void (await this.known(buyer, (via) => buyer.cancel(id, via), random));
    if (!random.chance(this.habits.paysBeforeCharging)) await this.#charge(buyer, totalPrice, random);
    let reply = await this.known(buyer, (via) => buyer.pay(id, via), random);
    if (reply.outcome === 'fail' && reply.code === 'InsufficientBalance') {
      await this.#charge(buyer, totalPrice, random);
      reply = await this.known(buyer, (via) => buyer.pay(id, via), random);
    }
    if (reply.outcome !== 'ok') return;
    this.#paid.add(reply.value.id);
    const paymentId = reply.value.id;
    if (random.chance(this.habits.refunds)) await this.known(buyer, (via) => buyer.refund(paymentId, via), random);
  }

  async #charge(buyer: DrillBuyer, amount: number, random: Random): Promise<void> {
    const key = `charge-${(this.#keys += 1)}-${this.show.id}`;
    const reply = await this.known(buyer, (via) => buyer.charge(amount, key, via), random);
    if (reply.outcome === 'fail') this.#unexpected(buyer, 'charge', reply.code);
  }

  #unexpected(buyer: DrillBuyer, name: string, code: string): void {
    this.run.expect(false, `user ${buyer.id} was told ${code} for ${name}, which nothing in this drill explains`);
  }
}
