import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import { WatchQueuePositionDocument } from '../../test/graphql/operations.js';
import type { BuiltConcert } from '../../test/support/builder.js';
import type { DrillRun } from '../drill.js';
import type { DrillBuyer, KeptPosition } from './buyer.js';
import type { DrillClient } from './client.js';
import type { Operation } from './history.js';
import { worse } from './queue-model.js';
import type { Random } from './random.js';
import { watch, type Watched } from './subscription.js';
import type { World } from './world.js';

/** People in a line: they come, some leave and return, they look or watch until it is their turn, and then buy, go, or let the pass run out. */

export interface PeopleSizes {
  watchers: number;
  /** Joins under way at once. */
  joinsAtOnce: number;
  /** How often somebody far behind looks. */
  lookEveryMs: number;
  /** Somebody so near the head looks more often. */
  lookNearMs: number;
  perSecond: number;
  leaveWithinMs: number;
  /** A pass and the word of its end take no longer. */
  endToldWithinMs: number;
}

const LEAVES = 0.1;
const BUYS = 0.05;
const JOINS_TWICE = 0.1;
const GIVES_PASS_BACK = 0.5;

type Watcher = Watched<{ queuePosition: KeptPosition }>;

export interface Outdated {
  buyer: DrillBuyer;
  queueToken: string;
}

export class QueuePeople {
  /** Who has a place or had one: their tokens are worth stealing. */
  readonly arrived: DrillBuyer[] = [];
  /** Tokens of places that were given up. */
  readonly outdated: Outdated[] = [];
  /** Holds that others would like to pay for. */
  readonly reservations: { id: string; userId: string }[] = [];
  readonly buyers = new Set<DrillBuyer>();
  /** Who were admitted and want nothing more. */
  through = 0;
  returned = 0;
  watched = 0;
  paid = 0;
  #positionsTold = 0;
  #expected = 0;
  readonly #half = Promise.withResolvers<void>();

  constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    private readonly client: DrillClient,
    private readonly concert: BuiltConcert,
    private readonly sizes: PeopleSizes,
  ) {}

  /** Resolves when half of them have come. */
  get halfHere(): Promise<void> {
    return this.#half.promise;
  }

  get positionsTold(): number {
    return this.#positionsTold;
  }

  /** All of them, from the first join to the last pass. */
  async all(people: readonly DrillBuyer[]): Promise<void> {
    this.#expected = people.length;
    const limit = pLimit(this.sizes.joinsAtOnce);
    const random = this.run.random.fork('people');
    const watchEvery = Math.floor(people.length / this.sizes.watchers);
    await Promise.all(people.map((buyer, index) => this.#one(limit, buyer, index, random.fork(index), index % watchEvery === 0)));
  }

  async #one(limit: ReturnType<typeof pLimit>, buyer: DrillBuyer, index: number, random: Random, watches: boolean): Promise<void> {
    const leaves = random.chance(LEAVES);
    const buys = random.chance(BUYS);
    if (!(await limit(() => this.#join(buyer, random.chance(JOINS_TWICE))))) return;
    if (this.arrived.push(buyer) * 2 >= this.#expected) this.#half.resolve();
    if (leaves) {
      await delay(random.below(this.sizes.leaveWithinMs), undefined, { signal: this.run.signal });
      await limit(() => this.#leaveAndReturn(buyer));
    }
    const watcher = watches ? this.#watch(buyer, index) : null;
    const isIn = watcher ? await this.#told(buyer, watcher) : await this.#look(buyer);
    if (isIn && buys) await this.#buy(buyer, index + 1);
    else if (isIn && random.chance(GIVES_PASS_BACK)) await this.client.untilKnown((via) => buyer.leave(this.concert.id, via));
    if (watcher) await this.#toldOfEnd(buyer, watcher);
    this.through += 1;
  }

  async #join(buyer: DrillBuyer, twice: boolean): Promise<boolean> {
    const joins = Array.from({ length: twice ? 2 : 1 }, () => this.client.untilKnown((via) => buyer.join(this.concert.id, via)));
    const replies = await Promise.all(joins);
    const failed = replies.find(({ outcome }) => outcome !== 'ok');
    if (failed) this.#lost('somebody could not join', failed.operation);
    return !failed;
  }

  async #leaveAndReturn(buyer: DrillBuyer): Promise<void> {
    const queueToken = buyer.queueToken!;
    const left = await this.client.untilKnown((via) => buyer.leave(this.concert.id, via));
    if (left.outcome !== 'ok') return this.#lost('somebody could not leave', left.operation);
    this.outdated.push({ buyer, queueToken });
    if (await this.#join(buyer, false)) this.returned += 1;
  }

  /** True when it is their turn; a pass may also have run out between two looks. */
  async #look(buyer: DrillBuyer): Promise<boolean> {
    for (;;) {
      const { outcome, operation } = await this.client.untilKnown((via) => buyer.position(this.concert.id, via));
      const seen = operation.value as KeptPosition | null | undefined;
      if (outcome !== 'ok' || !seen) {
        this.#lost('somebody who waits was told of no place', operation);
        return false;
      }
      if (seen.status !== 'WAITING') return seen.status === 'ACTIVE';
      const { lookEveryMs, lookNearMs, perSecond } = this.sizes;
      await this.client.pause(Math.max(lookNearMs, Math.min(lookEveryMs, (seen.position / perSecond) * 1000)));
    }
  }

  #watch(buyer: DrillBuyer, index: number): Watcher {
    const { apis } = this.world;
    const targets = [...apis.slice(index % apis.length), ...apis.slice(0, index % apis.length)];
    const credentials = { accessToken: buyer.account.accessToken, queueToken: buyer.queueToken! };
    const watcher: Watcher = watch({ targets, document: WatchQueuePositionDocument, variables: { concertId: this.concert.id }, credentials });
    this.run.closing(() => watcher.stop());
    this.watched += 1;
    return watcher;
  }

  async #told(buyer: DrillBuyer, watcher: Watcher): Promise<boolean> {
    const heard = await watcher.until(({ queuePosition }) => queuePosition.status !== 'WAITING').catch((error: unknown) => String(error));
    if (typeof heard === 'string') this.run.expect(false, `user ${buyer.id}, who watched the line, was told of the admission: ${heard}`);
    return typeof heard !== 'string' && heard.data.queuePosition.status === 'ACTIVE';
  }

  /** The subscription ends with the pass, and on the way no position was ever higher than one before. */
  async #toldOfEnd(buyer: DrillBuyer, watcher: Watcher): Promise<void> {
    const { endToldWithinMs } = this.sizes;
    const tooLate = new AbortController();
    const late = delay(endToldWithinMs, 'late', { signal: tooLate.signal }).catch(() => 'late');
    const end = await Promise.race([watcher.completed.then(() => 'told', (error: unknown) => JSON.stringify(error)), late]);
    tooLate.abort();
    this.run.expect(end === 'told', `user ${buyer.id}, who watched, was told of the end of the pass within ${endToldWithinMs} ms: ${end}`);
    await watcher.stop();
    const positions = watcher.messages.map(({ data }) => data.queuePosition);
    this.#positionsTold += positions.length;
    for (const [index, position] of positions.slice(1).entries()) {
      const wrong = worse(positions[index]!, position);
      if (wrong) this.run.violations([{ kind: 'sent-back', what: `user ${buyer.id}, who watched, was told ${wrong}, by ${watcher.messages[index + 1]!.node}`, operations: [] }]);
    }
  }

  /** Each has a seat of their own in mind. The pass may run out while a process dies under it. */
  async #buy(buyer: DrillBuyer, seat: number): Promise<void> {
    this.buyers.add(buyer);
    const held = await this.client.untilKnown((via) => buyer.reserve(this.concert.scheduleId, [seat], via));
    if (held.outcome !== 'ok') {
      if (!held.code.startsWith('QUEUE_TOKEN_EXPIRED')) this.#lost('somebody with a pass got no free seat', held.operation);
      return;
    }
    this.reservations.push({ id: held.value.id, userId: buyer.id });
    const paid = await this.client.untilKnown((via) => buyer.pay(held.value.id, via));
    if (paid.outcome === 'ok') this.paid += 1;
    else this.#lost('somebody with a hold could not pay', paid.operation);
  }

  #lost(what: string, operation: Operation): void {
    this.run.violations([{ kind: 'unexpected', what, operations: [operation] }]);
  }
}
