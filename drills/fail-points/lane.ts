import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'graphql';
import pLimit from 'p-limit';
import type { AdmittedBuyer, BuiltConcert, Buyer } from '../../test/support/builder.js';
import type { Credentials } from '../../test/support/client.js';
import type { DrillRun } from '../drill.js';
import { failPointEnv, NO_FAIL_POINT } from '../inject/environment.js';
import type { Hit } from '../inject/killer.js';
import { DrillBuyer } from '../support/buyer.js';
import { DrillClient, type Call, type Reply, type Target } from '../support/client.js';
import { History } from '../support/history.js';
import type { FrontrowNode } from '../support/processes.js';
import type { World, WorldOptions } from '../support/world.js';

/** A world of its own in which one case runs after the other: a process that is made to die, and others that stay well. */

const SEATS = 3000;
const PRICE = 10_000;
const BALANCE = 50_000;
/** Longer than any drill. */
const PASS_MS = 86_400_000;
const POLL_MS = 25;

/** Where, in what and at which hit a process is to die. */
export interface Case {
  operation: string;
  point: string;
  hit: number;
}

export const nameOf = ({ operation, point, hit }: Case): string => `${operation}, ${point}, hit ${hit}`;

export class Lane {
  readonly history = new History();
  readonly client: DrillClient;
  /** Dates that an admin has cancelled. */
  readonly cancelledDates = new Set<string>();
  readonly #asking = pLimit(1);
  #nextSeat = 0;
  #names = 0;

  private constructor(
    readonly run: DrillRun,
    readonly world: World,
    /** Where clients go when their first process is gone. */
    readonly well: FrontrowNode,
    readonly concert: BuiltConcert,
    readonly bystander: AdmittedBuyer,
    readonly admin: Buyer,
    readonly name: string,
  ) {
    this.client = new DrillClient({ history: this.history, targets: [well], random: run.random.fork(name), signal: run.signal });
  }

  static async open(run: DrillRun, name: string, options: WorldOptions): Promise<Lane> {
    const world = await run.world(options);
    const concert = await world.build.concert({ seats: SEATS, price: PRICE });
    const [bystander] = await world.build.admit(concert.id, [await world.build.buyer()], PASS_MS);
    const admin = await world.build.buyer({ role: 'ADMIN' });
    const lane = new Lane(run, world, world.apis[0]!, concert, bystander!, admin, name);
    run.closing(() => lane.client.close());
    return lane;
  }

  /** The process that is made to die: the last of its kind. */
  victim(role: 'api' | 'worker'): FrontrowNode {
    return (role === 'api' ? this.world.apis : this.world.workers).at(-1)!;
  }

  /** Starts it anew. It dies at the aim, or writes down every hit of any point. */
  async arm(victim: FrontrowNode, log: string, aim?: Case): Promise<void> {
    if (victim.pid) await victim.kill();
    await victim.start(failPointEnv(this.log(log), aim)).catch(async (error: unknown) => {
      // A worker may find work that others left behind and die before it has said that it is ready.
      if (aim === undefined || this.hits(log).length < aim.hit) throw error;
      await victim.ended();
    });
  }

  /** Starts it anew, and it does not die. */
  async disarm(victim: FrontrowNode): Promise<void> {
    if (victim.pid) await victim.kill();
    await victim.start(NO_FAIL_POINT);
  }

  /** Where the victim writes its hits; a file for each aim. */
  log(aim: string): string {
    return join(this.world.folder, `hits-${aim.replaceAll(/\W+/g, '-')}.jsonl`);
  }

  hits(aim: string): Hit[] {
    const file = this.log(aim);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Hit) : [];
  }

  seat(): number {
    return (this.#nextSeat += 1);
  }

  /** Another one each time. */
  unique(what: string): string {
    return `${what}-${this.name}-${(this.#names += 1)}`;
  }

  /** With a pass of the lane's concert and some money. */
  async buyer(): Promise<DrillBuyer> {
    const [admitted] = await this.world.build.admit(this.concert.id, [await this.world.build.buyer({ balance: BALANCE })], PASS_MS);
    return new DrillBuyer(this.client, admitted!);
  }

  async hold(buyer: DrillBuyer, seat: number): Promise<string> {
    return must(await this.client.untilKnown((via) => buyer.reserve(this.concert.scheduleId, [seat], via))).id;
  }

  async pay(buyer: DrillBuyer, reservationId: string): Promise<string> {
    return must(await this.client.untilKnown((via) => buyer.pay(reservationId, via))).id;
  }

  /** Whether somebody else gets the seat; it is given back at once. Asked until it is known, and one question at a time: the limit of seats would be no answer. */
  isFreeForOthers(seat: number): Promise<boolean> {
    return this.#asking(async () => {
      const other = new DrillBuyer(this.client, this.bystander);
      const reply = await this.client.untilKnown((via) => other.reserve(this.concert.scheduleId, [seat], via));
      this.run.expect(reply.outcome === 'ok' || reply.code === 'SeatsUnavailable', `whether seat ${seat} is free is answered, and not with ${'code' in reply ? reply.code : ''}`);
      if (reply.outcome !== 'ok') return false;
      // It may have run out by now.
      await this.client.untilKnown((via) => other.cancel(reply.value.id, via));
      return true;
    });
  }

  async rows<Row>(sql: string, params: readonly unknown[]): Promise<Row[]> {
    return this.world.app.transactions.fork().execute<Row[]>(sql, [...params]);
  }

  async count(sql: string, params: readonly unknown[]): Promise<number> {
    const [row] = await this.rows<{ n: number | string }>(`select count(*) as n from ${sql}`, params);
    return Number(row!.n);
  }

  /** A call that the test documents do not have. */
  ask(name: string, text: string, variables: Record<string, unknown>, credentials: Credentials, via: Target, succeeds?: string): Promise<Reply<unknown>> {
    const document = parse(text) as Call<Record<string, unknown>, unknown, unknown>['document'];
    return this.client.call({ process: 'admin', name, args: variables, document, variables, credentials, read: (data) => data[name], ...(succeeds === undefined ? {} : { succeeds }) }, via);
  }

  /** Asks until it is so; false when it was not within the time. */
  async eventually(ask: () => Promise<boolean>, withinMs: number): Promise<boolean> {
    const endsAt = performance.now() + withinMs;
    for (;;) {
      if (await ask()) return true;
      if (performance.now() > endsAt) return false;
      await delay(POLL_MS, undefined, { signal: this.run.signal });
    }
  }
}

/** For what is arranged: only the call that is drilled may fail. */
export function must<Value>(reply: Reply<Value>): Value {
  if (reply.outcome !== 'ok') throw new Error(`What was to be arranged was answered ${reply.code}.`);
  return reply.value;
}
