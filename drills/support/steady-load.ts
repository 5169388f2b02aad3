import { setTimeout as delay } from 'node:timers/promises';
import { ConcertsDocument, type ConcertsQuery } from '../../test/graphql/operations.js';
import type { BuiltConcert } from '../../test/support/builder.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient, Reply, Target } from './client.js';
import type { Random } from './random.js';
import type { World } from './world.js';

/** So many requests a second, whatever becomes of the ones before: people who look around, charge, hold, pay, give back and come again. */

export interface LoadRate {
  perSecond: number;
  buyers: number;
  seats: number;
}

interface Shopper {
  buyer: DrillBuyer;
  hold: string | null;
  payment: string | null;
  hasPass: boolean;
}

const PRICE = 10_000;
const CATALOGUE = {
  process: 'a visitor', name: 'catalogue', document: ConcertsDocument, variables: { first: 20 }, credentials: {}, read: ({ concerts }: ConcertsQuery): number => concerts.nodes.length,
};
/** What people may be told when nothing is wrong. */
export const EXPECTED_REFUSALS = new Set([
  'SeatsUnavailable', 'SeatLimitExceeded', 'ReservationNotPayable', 'ReservationNotCancellable', 'InsufficientBalance', 'QUEUE_TOKEN_WAITING', 'QUEUE_TOKEN_EXPIRED',
]);

export class SteadyLoad {
  readonly #idle: Shopper[];
  readonly #random: Random;
  readonly buyers: readonly DrillBuyer[];
  #keys = 0;
  sent = 0;
  seconds = 0;
  /** Requests that nobody was free to send. */
  skipped = 0;

  private constructor(
    private readonly run: DrillRun,
    private readonly client: DrillClient,
    private readonly concert: BuiltConcert,
    private readonly rate: LoadRate,
    shoppers: Shopper[],
  ) {
    this.#random = run.random.fork('load');
    this.#idle = shoppers;
    this.buyers = shoppers.map(({ buyer }) => buyer);
  }

  static async open(run: DrillRun, { build }: World, client: DrillClient, rate: LoadRate): Promise<SteadyLoad> {
    const concert = await build.concert({ seats: rate.seats, price: PRICE });
    const accounts = await build.admit(concert.id, await build.buyers(rate.buyers, { balance: 2 * PRICE }));
    const shoppers = accounts.map((account) => ({ buyer: new DrillBuyer(client, account), hold: null, payment: null, hasPass: true }));
    return new SteadyLoad(run, client, concert, rate, shoppers);
  }

  async during(work: () => Promise<void>): Promise<void> {
    let over = false;
    const done = work().finally(() => (over = true));
    done.catch(() => undefined);
    const startedAt = performance.now();
    const underWay = new Set<Promise<void>>();
    for (let turn = 0; !over; turn += 1) {
      const waitMs = startedAt + (turn * 1000) / this.rate.perSecond - performance.now();
      if (waitMs > 0) await delay(waitMs, undefined, { signal: this.run.signal });
      const shopper = this.#idle.shift();
      if (!shopper) {
        this.skipped += 1;
        continue;
      }
      this.sent += 1;
      const request: Promise<void> = this.#request(shopper)
        .then(() => void this.#idle.push(shopper))
        .finally(() => underWay.delete(request));
      request.catch(() => undefined);
      underWay.add(request);
    }
    this.seconds = (performance.now() - startedAt) / 1000;
    await Promise.all(underWay);
    await done;
  }

  async #request(shopper: Shopper): Promise<void> {
    const { buyer } = shopper;
    const kind = this.#random.next();
    if (kind < 0.5) await this.#known((via) => this.client.call(CATALOGUE, via));
    else if (kind < 0.55) await this.#behindTheQueue(shopper, (via) => buyer.seats(this.concert.scheduleId, 'AVAILABLE', via));
    else if (kind < 0.65) await this.#known((via) => buyer.me(via));
    else if (kind < 0.75) await this.#charge(buyer);
    else await this.#trade(shopper);
  }

  async #charge(buyer: DrillBuyer): Promise<void> {
    const key = `load ${(this.#keys += 1)}`;
    const amount = this.#random.between(1, PRICE);
    await this.#known((via) => buyer.charge(amount, key, via));
  }

  async #trade(shopper: Shopper): Promise<void> {
    const { buyer, hold, payment } = shopper;
    const choice = this.#random.next();
    if (payment) {
      shopper.payment = null;
      await this.#known((via) => buyer.refund(payment, via));
    } else if (hold) {
      shopper.hold = null;
      if (choice < 0.2) await this.#known((via) => buyer.cancel(hold, via));
      else if (choice < 0.8) {
        const reply = await this.#known((via) => buyer.pay(hold, via));
        if (reply.outcome === 'ok') shopper.payment = reply.value.id;
      }
    } else if (shopper.hasPass) {
      const seat = this.#random.between(1, this.rate.seats);
      const reply = await this.#behindTheQueue(shopper, (via) => buyer.reserve(this.concert.scheduleId, [seat], via));
      if (reply.outcome === 'ok') shopper.hold = reply.value.id;
    } else {
      await this.#known((via) => buyer.join(this.concert.id, via));
      shopper.hasPass = true;
    }
  }

  /** The first payment ends a pass; then one comes again. */
  async #behindTheQueue<Value>(shopper: Shopper, attempt: (via: Target) => Promise<Reply<Value>>): Promise<Reply<Value>> {
    const reply = await this.#known(attempt);
    if (reply.outcome === 'fail' && reply.code === 'QUEUE_TOKEN_EXPIRED') shopper.hasPass = false;
    return reply;
  }

  /** As a load balancer does: where one process takes no connection, the next one is asked. */
  #known<Value>(attempt: (via: Target) => Promise<Reply<Value>>): Promise<Reply<Value>> {
    return this.client.untilKnown(attempt);
  }
}
