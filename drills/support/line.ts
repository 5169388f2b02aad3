import { setTimeout as delay } from 'node:timers/promises';
import { WatchQueuePositionDocument } from '../../test/graphql/operations.js';
import { Concert } from '../../src/database/entities/concert.entity.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer, type KeptPosition } from './buyer.js';
import type { DrillClient } from './client.js';
import type { Operation } from './history.js';
import { checkLine, type AdmittedPass } from './line-model.js';
import { watch, type Watched } from './subscription.js';
import type { World } from './world.js';

/**
 * The waiting line of one concert, which moves slowly while others come: some people look at their place again and again, some watch it over a socket. In the end
 * everybody was admitted once, in the order in which they came.
 */

const COMES_EVERY_MS = 300;
const WATCHES_EVERY = 5;
const WATCHERS_MAX = 25;
const ADMITTED_WITHIN_MS = 30_000;

export interface LineSizes {
  /** Before it begins to move. */
  inLine: number;
  lookEveryMs: number;
}

type Watcher = Watched<{ queuePosition: KeptPosition }>;

export class Line {
  readonly members: DrillBuyer[] = [];
  #watching = 0;
  readonly #attending: Promise<void>[] = [];
  #newcomers: Promise<void> = Promise.resolve();
  #over = false;

  private constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    private readonly client: DrillClient,
    readonly concertId: string,
    private readonly lookEveryMs: number,
  ) {}

  /** So many come one after the other; then the line begins to move, and as many as are admitted come anew. */
  static async open(run: DrillRun, world: World, client: DrillClient, { inLine, lookEveryMs }: LineSizes): Promise<Line> {
    const { id } = await world.build.concert({ seats: 1 });
    const line = new Line(run, world, client, id, lookEveryMs);
    await line.#pace({ queueAdmitCount: 1, queueAdmitIntervalMs: COMES_EVERY_MS });
    for (const account of await world.build.buyers(inLine)) await line.#comes(new DrillBuyer(client, account));
    line.#newcomers = line.#goOnComing();
    line.#newcomers.catch(() => undefined);
    return line;
  }

  /** Nobody comes any more, everybody is admitted as fast as it goes, and what was seen is judged. */
  async finish(): Promise<void> {
    this.#over = true;
    await this.#pace({ queueAdmitCount: 1000, queueAdmitIntervalMs: 200 });
    const { signal } = this.run;
    const late = delay(ADMITTED_WITHIN_MS, 'late' as const, { signal });
    late.catch(() => undefined);
    const everybody = async (): Promise<void> => {
      await this.#newcomers;
      await Promise.all(this.#attending);
    };
    const end = await Promise.race([everybody(), late]);
    const passes = await this.#passes();
    const admitted = new Set(passes.map(({ userId }) => userId));
    const waiting = this.members.filter(({ id }) => !admitted.has(id));
    this.run.expect(end !== 'late' && waiting.length === 0, `everybody in line is admitted within ${ADMITTED_WITHIN_MS / 1000} s and hears of it: ${waiting.length} of ${this.members.length} were not admitted`);
    this.run.figure('admitted in order', passes.length);
    this.run.violations(checkLine(this.run.history, this.concertId, passes));
  }

  async #pace(pace: { queueAdmitCount: number; queueAdmitIntervalMs: number }): Promise<void> {
    await this.world.app.transactions.fork().nativeUpdate(Concert, { id: this.concertId }, pace);
  }

  async #passes(): Promise<AdmittedPass[]> {
    const rows = await this.world.app.transactions.fork().execute<{ userId: string; place: string }[]>(
      'select user_id as userId, place from queue_pass where concert_id = ? and admitted_at is not null',
      [this.concertId],
    );
    return rows.map(({ userId, place }) => ({ userId, place: Number(place) }));
  }

  async #goOnComing(): Promise<void> {
    while (!this.#over) {
      await delay(COMES_EVERY_MS, undefined, { signal: this.run.signal });
      const [account] = await this.world.build.buyers(1).catch(() => []);
      if (account) await this.#comes(new DrillBuyer(this.client, account));
    }
  }

  async #comes(buyer: DrillBuyer): Promise<void> {
    const joined = await this.client.untilKnown((via) => buyer.join(this.concertId, via));
    if (joined.outcome !== 'ok') return this.#lost(joined.operation);
    this.members.push(buyer);
    const watches = this.members.length % WATCHES_EVERY === 0 && this.#watching < WATCHERS_MAX;
    const attending = watches ? this.#watch(buyer) : this.#look(buyer);
    attending.catch(() => undefined);
    this.#attending.push(attending);
  }

  async #look(buyer: DrillBuyer): Promise<void> {
    for (;;) {
      const { outcome, operation } = await this.client.untilKnown((via) => buyer.position(this.concertId, via));
      const status = (operation.value as KeptPosition | null | undefined)?.status;
      if (outcome !== 'ok' || (status !== 'WAITING' && status !== 'ACTIVE')) return this.#lost(operation);
      if (status === 'ACTIVE') return;
      await this.client.pause(this.lookEveryMs);
    }
  }

  /** Sockets may break, and a process without Redis begins no subscription: whoever watches comes back and is told where they stand. */
  async #watch(buyer: DrillBuyer): Promise<void> {
    let turn = (this.#watching += 1);
    let told = await this.#watchOnce(buyer, turn);
    while (told === 'SERVICE_UNAVAILABLE') {
      await this.client.pause(this.lookEveryMs);
      told = await this.#watchOnce(buyer, (turn += 1));
    }
    if (!this.run.signal.aborted) this.run.expect(told === 'ACTIVE', `user ${buyer.id}, who watched the line, was told of the admission: ${told}`);
  }

  /** The status after WAITING, or why the subscription ended. */
  async #watchOnce(buyer: DrillBuyer, turn: number): Promise<string> {
    const { accessToken } = buyer.account;
    const first = turn % this.world.apis.length;
    const watcher: Watcher = watch({
      targets: [...this.world.apis.slice(first), ...this.world.apis.slice(0, first)],
      document: WatchQueuePositionDocument, variables: { concertId: this.concertId }, credentials: { accessToken, ...(buyer.queueToken ? { queueToken: buyer.queueToken } : {}) },
    });
    this.run.closing(() => watcher.stop());
    try {
      return (await watcher.until(({ queuePosition }) => queuePosition.status !== 'WAITING')).data.queuePosition.status;
    } catch (error) {
      return String(watcher.errors.at(-1)?.extensions?.['code'] ?? error);
    } finally {
      await watcher.stop();
    }
  }

  #lost(operation: Operation): void {
    this.run.violations([{ kind: 'place-lost', what: 'somebody who waits in line was told of no place', operations: [operation] }]);
  }
}
