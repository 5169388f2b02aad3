import { setTimeout as delay } from 'node:timers/promises';
import type { DrillRun } from '../drill.js';
import { DrillBuyer } from './buyer.js';
import type { DrillClient } from './client.js';
import type { Operation } from './history.js';
import type { Violation } from './model.js';
import type { FrontrowNode } from './processes.js';
import { starvationOf } from './starvation.js';
import { EXPECTED_REFUSALS } from './steady-load.js';
import type { World } from './world.js';

/** Processes that are told to stop one after the other, each with requests under way that it has to finish; and what clients may see of that. */

/** Milliseconds of the history. */
export interface Restart {
  node: string;
  stoppingAt: number;
  readyAt: number;
}

const PATIENTS = 3;
const AMOUNT = 1000;
/** Well below the deadline of a request. */
const LOCKED_MAX_MS = 1500;
const LOOK_EVERY_MS = 20;
/** The server makes its table of waits anew when nobody has asked for 100 ms. */
const LOOK_FOR_WAITS_EVERY_MS = 150;
/** A request has a deadline, too. */
const WAITS_WITHIN_MS = 2500;
/** Closed by a process that stops, or not taken by one that is not there. */
const CLOSED = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'socket hang up']);
/** What was sent so long before the process was told to stop has reached it. */
const REACHED_WITHIN_MS = 1000;
/** The proxy is told of a process that ended, or is ready, a little later than it is so. */
const EDGE_MS = 500;
/** Patience with the stores is at least so long; whoever was kept from running for that time has not met an error. */
const GIVEN_UP_AFTER_MS = 1000;

export class Restarts {
  readonly done: Restart[] = [];
  finished = 0;
  /** Calls that were given up for want of a processor. */
  givenUp = 0;
  #longestStopMs = 0;
  #keys = 0;

  private constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    private readonly signal: 'SIGTERM' | 'SIGKILL',
    readonly patients: readonly DrillBuyer[],
  ) {}

  static async open(run: DrillRun, world: World, client: DrillClient, signal: 'SIGTERM' | 'SIGKILL'): Promise<Restarts> {
    const patients = (await world.build.buyers(PATIENTS)).map((account) => new DrillBuyer(client, account));
    return new Restarts(run, world, signal, patients);
  }

  /** Each of them once, one after the other; the next when all is `wellAgain`, as rollouts do. */
  async round(nodes: readonly FrontrowNode[], wellAgain: () => Promise<void>): Promise<void> {
    for (const node of nodes) {
      await (node.role === 'api' ? this.#withRequestsUnderWay(node) : this.#restart(node, async () => undefined));
      await wellAgain();
    }
  }

  figures(): void {
    this.run.figure('restarts', this.done.length);
    this.run.figure('requests under way when told to stop, finished', this.finished);
    this.run.figure('given up for want of a processor', this.givenUp);
    this.run.figure('longest stop, ms', Math.round(this.#longestStopMs));
    this.run.figure('longest restart, ms', Math.round(Math.max(...this.done.map(({ stoppingAt, readyAt }) => readyAt - stoppingAt))));
  }

  longestOf(nodes: readonly FrontrowNode[]): number {
    return Math.max(0, ...this.done.filter((restart) => nodes.some(({ name }) => name === restart.node)).map(({ stoppingAt, readyAt }) => readyAt - stoppingAt));
  }

  during(node: string, from: number, to: number): boolean {
    return this.done.some((restart) => restart.node === node && from <= restart.readyAt + EDGE_MS && to >= restart.stoppingAt - EDGE_MS);
  }

  /** No error but closed connections, and those only of a process that restarts. */
  judge(operations: readonly Operation[]): Violation[] {
    const starvation = starvationOf(this.run.history);
    return operations.flatMap((operation): Violation[] => {
      const { name, node, outcome, code = '', invokedAt, endedAt } = operation;
      if (outcome === 'ok' || (outcome === 'fail' && EXPECTED_REFUSALS.has(code))) return [];
      const end = endedAt ?? Infinity;
      if ((code === 'SERVICE_UNAVAILABLE' || code === 'TIMEOUT') && starvation.during(node, invokedAt, end) > GIVEN_UP_AFTER_MS && end - invokedAt > GIVEN_UP_AFTER_MS) {
        this.givenUp += 1;
        return [];
      }
      const violation = (kind: string, what: string): Violation[] => [{ kind, what, operations: [operation] }];
      if (outcome === 'fail' || !CLOSED.has(code)) return violation('error', `${name} was answered ${code || 'nothing'}`);
      if (!this.during(node, invokedAt, end)) return violation('closed', `${name} met a closed connection of ${node}, which was not restarting`);
      const restart = this.done.find((one) => one.node === node && end >= one.stoppingAt && invokedAt < one.stoppingAt - REACHED_WITHIN_MS - starvation.during(node, invokedAt, one.stoppingAt));
      return restart ? violation('not-finished', `${name} was under way at ${node} when it was told to stop, and had no answer`) : [];
    });
  }

  /** Their wallets are locked, so that they wait in the middle of a transaction until the process has begun to stop. */
  async #withRequestsUnderWay(node: FrontrowNode): Promise<void> {
    const em = this.world.app.transactions.fork();
    await em.begin();
    let charges: Promise<{ outcome: string; code?: string; operation: Operation }>[] = [];
    let sentAt = 0;
    try {
      await em.execute('select user_id from wallet where user_id in (?) for update', [this.patients.map(({ id }) => id)]);
      sentAt = this.run.history.now();
      charges = this.patients.map((buyer) => buyer.charge(AMOUNT, `patient ${(this.#keys += 1)}`, node));
      const wait = 'select count(*) as waits from information_schema.innodb_lock_waits w join information_schema.innodb_trx t on t.trx_id = w.blocking_trx_id where t.trx_mysql_thread_id = connection_id()';
      const areWaiting = await this.#until(WAITS_WITHIN_MS, async () => Number((await em.execute<{ waits: number }[]>(wait))[0]!.waits) >= PATIENTS, LOOK_FOR_WAITS_EVERY_MS);
      if (!areWaiting) this.#expectStarved(node, sentAt);
      await this.#restart(node, async () => {
        await this.#until(LOCKED_MAX_MS, async () => !(await node.ready()));
        await em.commit();
      });
    } finally {
      if (em.isInTransaction()) await em.rollback();
    }
    for (const { outcome, code = '', operation } of await Promise.all(charges)) {
      if (outcome === 'ok') this.finished += 1;
      // Judged with all others.
      else if (code === 'SERVICE_UNAVAILABLE') continue;
      else this.run.violations([{ kind: 'not-finished', what: `a charge was in the middle of its transaction at ${node.name} when that was told to stop, and was answered ${code}`, operations: [operation] }]);
    }
  }

  /** On a machine that does too much else they may not even have begun. */
  #expectStarved(node: FrontrowNode, since: number): void {
    const keptMs = starvationOf(this.run.history).during(node.name, since, this.run.history.now());
    this.run.say(`requests had not begun at ${node.name} after ${WAITS_WITHIN_MS} ms, for ${Math.round(keptMs)} of which it was kept from running`);
    this.run.expect(keptMs > GIVEN_UP_AFTER_MS, `${PATIENTS} requests were under way at ${node.name}`);
  }

  async #restart(node: FrontrowNode, whileStopping: () => Promise<void>): Promise<void> {
    const { history } = this.run;
    const restart = { node: node.name, stoppingAt: history.now(), readyAt: Infinity };
    this.done.push(restart);
    const stopping = this.signal === 'SIGTERM' ? node.stop() : node.kill('SIGKILL').then(() => 'SIGKILL');
    await whileStopping();
    const end = await stopping;
    const stopMs = history.now() - restart.stoppingAt;
    this.#longestStopMs = Math.max(this.#longestStopMs, stopMs);
    this.run.expect(end === 0, `${node.name} ends in order when it is told to stop: ${end}`);
    await node.start();
    restart.readyAt = history.now();
    this.run.say(`${node.name} stopped in ${Math.round(stopMs)} ms and was ready again ${Math.round(restart.readyAt - restart.stoppingAt - stopMs)} ms later (${this.done.length})`);
  }

  async #until(withinMs: number, isSo: () => Promise<boolean>, lookEveryMs = LOOK_EVERY_MS): Promise<boolean> {
    const endsAt = performance.now() + withinMs;
    while (performance.now() < endsAt) {
      if (await isSo()) return true;
      await delay(lookEveryMs, undefined, { signal: this.run.signal });
    }
    return false;
  }
}
