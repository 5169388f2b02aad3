import { setTimeout as delay } from 'node:timers/promises';
import { ConcertsDocument, type ConcertsQuery } from '../../test/graphql/operations.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient, Reply, Target } from './client.js';
import type { FrontrowNode } from './processes.js';
import { starvationOf } from './starvation.js';
import type { World } from './world.js';

/** Tells when everything works again: each process is ready, seats are held and given back at each API process, workers tell of both and end the holds that are due. */

/** Within so long after a store or a way to it is back, everything is. */
export const BACK_WITHIN_MS = 10_000;
/** Asked for longer than that, to tell slow from never. */
const GIVE_UP_AFTER_MS = 30_000;
const ASK_EVERY_MS = 50;
const SEATS = 500;
const CATALOGUE_WITHIN_MS = 10_000;
const CATALOGUE = {
  process: 'a visitor', name: 'catalogue', document: ConcertsDocument, variables: { first: 20 }, credentials: {}, read: ({ concerts }: ConcertsQuery): number => concerts.nodes.length,
};

export class Prober {
  #seat = 0;
  #slowestMs = 0;

  private constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    private readonly concert: { id: string; scheduleId: string },
    private readonly client: DrillClient,
    /** One for each API process. */
    readonly buyers: readonly DrillBuyer[],
  ) {}

  static async open(run: DrillRun, world: World, client: DrillClient): Promise<Prober> {
    const concert = await world.build.concert({ seats: SEATS });
    const buyers = (await world.build.buyers(world.apis.length, { balance: 1_000_000 })).map((account) => new DrillBuyer(client, account));
    const prober = new Prober(run, world, concert, client, buyers);
    // What nobody has asked for yet cannot be remembered.
    await prober.catalogueIsShown();
    return prober;
  }

  /** What came back, and when that was (performance.now()). The answer is how long everything took, in milliseconds. */
  async back(what: string, since: number): Promise<number> {
    const endsAt = since + GIVE_UP_AFTER_MS;
    const took: string[] = [];
    const timed = async (name: string, step: Promise<string | null>): Promise<string | null> => {
      const missing = await step;
      took.push(`${name} ${Math.round(performance.now() - since)} ms`);
      return missing;
    };
    const steps = await Promise.all([
      ...this.world.nodes.map((node) => timed(`${node.name} ready`, this.#ready(node, endsAt))),
      ...this.world.apis.map((api, index) => timed(`${api.name} sells`, this.#sells(api, this.buyers[index]!, endsAt))),
      timed('holds end', this.#holdsEnd(endsAt)),
    ]);
    const tookMs = Math.round(performance.now() - since);
    const kept = starvationOf(this.run.history);
    const until = this.run.history.now();
    const ownMs = tookMs - Math.round(Math.max(...this.world.nodes.map(({ name }) => kept.during(name, until - tookMs, until))));
    const missing = steps.filter((step) => step !== null);
    this.#slowestMs = Math.max(this.#slowestMs, tookMs);
    this.run.expect(missing.length === 0, `after ${what} everything works again: ${missing.join(', ')}`);
    this.run.expect(ownMs <= BACK_WITHIN_MS, `after ${what} everything works again within ${BACK_WITHIN_MS / 1000} s: it took ${tookMs} ms, ${ownMs} ms without waits for a processor`);
    this.run.say(`everything works again ${tookMs} ms after ${what}; last ${took.slice(-2).join(', ')}`);
    return tookMs;
  }

  figures(): void {
    this.run.figure('longest way back, ms', this.#slowestMs);
  }

  /** A hold for each prober, to be paid for while something is broken. */
  async hold(): Promise<{ buyer: DrillBuyer; reservationId: string }[]> {
    return Promise.all(
      this.buyers.map(async (buyer, index) => {
        const reply = await this.#reserve(this.world.apis[index]!, buyer, performance.now() + GIVE_UP_AFTER_MS);
        if (!reply) throw new Error('A prober got no hold while nothing is broken.');
        return { buyer, reservationId: reply };
      }),
    );
  }

  /** Also without the database, at every API process. */
  async catalogueIsShown(): Promise<void> {
    await Promise.all(
      this.world.apis.map(async (api) => {
        const reply = await this.#known(performance.now() + CATALOGUE_WITHIN_MS, () => this.client.call(CATALOGUE, api));
        this.run.expect(reply?.outcome === 'ok' && reply.value > 0, `${api.name} shows the catalogue: ${reply ? `${reply.outcome} ${'code' in reply ? reply.code : reply.value}` : 'no answer'}`);
      }),
    );
  }

  async #ready(node: FrontrowNode, endsAt: number): Promise<string | null> {
    return (await this.#until(endsAt, () => node.ready())) ? null : `${node.name} is not ready`;
  }

  /** The gate, the database, the queue's tokens and the relay with its events take part in this. */
  async #sells(api: Target, buyer: DrillBuyer, endsAt: number): Promise<string | null> {
    const reservationId = await this.#reserve(api, buyer, endsAt);
    if (!reservationId) return `no hold is to be had at ${api.name}`;
    const cancelled = await this.#known(endsAt, () => buyer.cancel(reservationId, api));
    if (!cancelled) return `no hold can be given back at ${api.name}`;
    const told = await this.#until(endsAt, async () => {
      const [row] = await this.world.app.transactions.fork().execute<{ events: number }[]>('select count(*) as events from outbox_event where reservation_id = ? and published_at is not null', [reservationId]);
      return Number(row!.events) >= 2;
    });
    return told ? null : 'its events are not published';
  }

  async #reserve(api: Target, buyer: DrillBuyer, endsAt: number): Promise<string | null> {
    while (performance.now() < endsAt) {
      // Another seat each time: an attempt that was cut off may have left its mark on the last one.
      const seat = ((this.#seat += 1) % SEATS) + 1;
      const reply = await this.#known(endsAt, () => buyer.reserve(this.concert.scheduleId, [seat], api));
      if (reply?.outcome === 'ok') return reply.value.id;
      if (reply?.outcome === 'fail' && reply.code.startsWith('QUEUE_TOKEN')) await this.#known(endsAt, () => buyer.join(this.concert.id, api));
      await delay(ASK_EVERY_MS, undefined, { signal: this.run.signal });
    }
    return null;
  }

  async #holdsEnd(endsAt: number): Promise<string | null> {
    const em = this.world.app.transactions.fork();
    const over = "from reservation where status = 'HELD' and expires_at <= ?";
    const [clock] = await em.execute<{ now: string }[]>('select cast(sysdate(3) as char) as now');
    const ended = await this.#until(endsAt, async () => Number((await this.world.app.transactions.fork().execute<{ holds: number }[]>(`select count(*) as holds ${over}`, [clock!.now]))[0]!.holds) === 0);
    return ended ? null : 'holds that are over are still HELD';
  }

  async #known<Value>(endsAt: number, attempt: () => Promise<Reply<Value>>): Promise<Reply<Value> | null> {
    while (performance.now() < endsAt) {
      const reply = await attempt();
      if (reply.outcome !== 'unknown') return reply;
      await delay(ASK_EVERY_MS, undefined, { signal: this.run.signal });
    }
    return null;
  }

  async #until(endsAt: number, ask: () => Promise<boolean>): Promise<boolean> {
    while (performance.now() < endsAt) {
      if (await ask().catch(() => false)) return true;
      await delay(ASK_EVERY_MS, undefined, { signal: this.run.signal });
    }
    return false;
  }
}
