import { setTimeout as delay } from 'node:timers/promises';
import { print } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import WebSocket from 'ws';
import { WatchQueuePositionDocument } from '../../test/graphql/operations.js';
import { Concert } from '../../src/database/entities/concert.entity.js';
import { keys } from '../../src/redis/keys.js';
import type { DrillRun } from '../drill.js';
import { DrillBuyer, type KeptPosition } from './buyer.js';
import type { DrillClient, Target } from './client.js';
import type { Violation } from './model.js';
import { worse } from './queue-model.js';
import type { Random } from './random.js';
import { starvationOf } from './starvation.js';
import type { World } from './world.js';

/** Many sockets that watch one line which moves slowly, each of one user, and what became of each of their connections. */

/** Milliseconds of the history. */
interface Connection {
  node: string;
  beganAt: number;
  acknowledgedAt: number | null;
  firstMessageAt: number | null;
  closedAt: number | null;
  code: number;
}

interface LineSocket {
  buyer: DrillBuyer;
  client: Client;
  connections: Connection[];
  last: KeptPosition | null;
  errors: string[];
  /** How the later of two positions contradicted the earlier. */
  wrong: string[];
}

export interface SocketSizes {
  sockets: number;
  /** One of the line is admitted so often. */
  movesEveryMs: number;
}

const GOING_AWAY = 1001;
const ABNORMAL = 1006;
const SNAPSHOT_WITHIN_MS = 5000;
const BACK_WITHIN_MS = 10_000;
const LIVE_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 250;
const RETRY_MIN_MS = 30;
const RETRY_MAX_MS = 500;

export class LineSockets {
  readonly #sockets: LineSocket[] = [];
  readonly #random: Random;
  #messages = 0;
  #stopped = false;

  private constructor(
    private readonly run: DrillRun,
    private readonly world: World,
    private readonly concertId: string,
  ) {
    this.#random = run.random.fork('sockets');
  }

  static async open(run: DrillRun, world: World, client: DrillClient, { sockets: count, movesEveryMs }: SocketSizes): Promise<LineSockets> {
    const { id } = await world.build.concert({ seats: 1 });
    await world.app.transactions.fork().nativeUpdate(Concert, { id }, { queueAdmitCount: 1, queueAdmitIntervalMs: movesEveryMs });
    const sockets = new LineSockets(run, world, id);
    const buyers = (await world.build.buyers(count)).map((account) => new DrillBuyer(client, account));
    await Promise.all(buyers.map((buyer) => client.untilKnown((via) => buyer.join(id, via))));
    run.closing(() => sockets.stop());
    for (const buyer of buyers) sockets.#watch(buyer);
    await sockets.expectLive('at first');
    return sockets;
  }

  /** Everybody has been told where they stand at this moment. */
  async expectLive(when: string): Promise<void> {
    const startedAt = performance.now();
    const starvation = starvationOf(this.run.history);
    const from = this.run.history.now();
    let behind = 0;
    let keptMs = 0;
    do {
      const waiting = await this.world.app.redis.zrangebyscore(keys.queueWaiting(this.concertId), '-inf', '+inf');
      const ranks = new Map(waiting.map((userId, index) => [userId, index + 1]));
      behind = this.#sockets.filter(({ buyer, last }) => (ranks.has(buyer.id) ? last?.position !== ranks.get(buyer.id) : last?.status !== 'ACTIVE')).length;
      if (behind === 0) return;
      await delay(LOOK_EVERY_MS, undefined, { signal: this.run.signal });
      keptMs = Math.max(0, ...this.world.apis.map(({ name }) => starvation.during(name, from, this.run.history.now())));
    } while (performance.now() - startedAt < LIVE_WITHIN_MS + keptMs);
    this.run.expect(false, `${when} everybody who watches is told the present position within ${LIVE_WITHIN_MS / 1000} s: ${behind} of ${this.#sockets.length} were not`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#sockets.map(({ client }) => client.dispose()));
  }

  figures(): void {
    const all = this.#sockets.flatMap(({ connections }) => connections);
    const acknowledged = all.filter(({ acknowledgedAt }) => acknowledgedAt !== null);
    this.run.figure('sockets', this.#sockets.length);
    this.run.figure('connections of them', acknowledged.length);
    this.run.figure('told to reconnect (1001)', acknowledged.filter(({ code }) => code === GOING_AWAY).length);
    this.run.figure('positions told', this.#messages);
    const snapshots = acknowledged.filter(({ firstMessageAt }) => firstMessageAt !== null).map(({ acknowledgedAt, firstMessageAt }) => firstMessageAt! - acknowledgedAt!);
    this.run.figure('longest way from connected to the first position, ms', Math.round(Math.max(0, ...snapshots)));
    this.run.figure('longest time without a connection, ms', Math.round(Math.max(0, ...this.#sockets.flatMap(({ connections }) => gapsOf(connections).map(({ ms }) => ms)))));
  }

  /** Of processes that were told to stop everybody was sent away with 1001, came back elsewhere, and was told the position first. */
  judge(during: (node: string, from: number, to: number) => boolean): Violation[] {
    const now = this.run.history.now();
    return this.#sockets.flatMap(({ buyer, connections, errors, wrong }): Violation[] => [
      ...errors.map((error) => ({ kind: 'subscription-error', what: `user ${buyer.id}, who watches: ${error}`, operations: [] })),
      ...wrong.map((what) => ({ kind: 'sent-back', what: `user ${buyer.id}, who watches, was told ${what}`, operations: [] })),
      ...connections.flatMap((connection) => this.#judgeConnection(connection, now, during)),
      ...gapsOf(connections).filter(({ ms, from }) => ms > BACK_WITHIN_MS + this.#kept(from, from + ms)).map(({ ms }) => ({ kind: 'long-gone', what: `user ${buyer.id}, who watches, had no connection for ${Math.round(ms)} ms`, operations: [] })),
    ]);
  }

  #judgeConnection({ node, beganAt, acknowledgedAt, firstMessageAt, closedAt, code }: Connection, now: number, during: (node: string, from: number, to: number) => boolean): Violation[] {
    const violation = (kind: string, what: string): Violation[] => [{ kind, what, operations: [] }];
    const end = closedAt ?? now;
    if (closedAt !== null && !during(node, beganAt, end)) return violation('closed', `a socket of ${node}, which was not restarting, was closed with ${code}`);
    if (acknowledgedAt === null) return closedAt === null || code === GOING_AWAY || code === ABNORMAL ? [] : violation('close-code', `a socket that was connecting to ${node} was closed with ${code}`);
    const found = closedAt === null || code === GOING_AWAY ? [] : violation('close-code', `a socket was closed with ${code} when ${node} was restarted`);
    const silentMs = (firstMessageAt ?? end) - acknowledgedAt;
    if (silentMs > SNAPSHOT_WITHIN_MS + this.#kept(acknowledgedAt, firstMessageAt ?? end, node)) found.push(...violation('no-snapshot', `a socket was told no position for ${Math.round(silentMs)} ms after it had come back to ${node}`));
    return found;
  }

  #kept(from: number, to: number, node = ''): number {
    return starvationOf(this.run.history).during(node, from, to);
  }

  #watch(buyer: DrillBuyer): void {
    const { history } = this.run;
    const targets: readonly Target[] = this.world.apis;
    let current: Connection | undefined;
    const client = createClient({
      url: () => {
        // Any other than the last, as a load balancer does: in turn, all would end at the process that is the next to be restarted.
        const { name, url } = this.#random.pick(targets.filter((target) => target.name !== current?.node));
        current = { node: name, beganAt: history.now(), acknowledgedAt: null, firstMessageAt: null, closedAt: null, code: 0 };
        socket.connections.push(current);
        return `${url.replace('http', 'ws')}/graphql`;
      },
      webSocketImpl: WebSocket,
      retryAttempts: Infinity,
      shouldRetry: () => true,
      retryWait: (retries) => delay(this.#random.between(1, Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** retries))),
      connectionParams: { authorization: `Bearer ${buyer.account.accessToken}`, queueToken: buyer.queueToken! },
      on: {
        connected: () => void (current!.acknowledgedAt = history.now()),
        closed: (event) => {
          if (!this.#stopped && current) Object.assign(current, { closedAt: history.now(), code: (event as { code: number }).code });
        },
      },
    });
    const socket: LineSocket = { buyer, client, connections: [], last: null, errors: [], wrong: [] };
    this.#sockets.push(socket);
    client.subscribe<{ queuePosition: KeptPosition }, Record<string, unknown>>(
      { query: print(WatchQueuePositionDocument), variables: { concertId: this.concertId } },
      {
        next: ({ data, errors }) => {
          if (errors) socket.errors.push(JSON.stringify(errors));
          if (!data) return;
          this.#messages += 1;
          current!.firstMessageAt ??= history.now();
          const wrong = socket.last && worse(socket.last, data.queuePosition);
          if (wrong) socket.wrong.push(wrong);
          socket.last = data.queuePosition;
        },
        error: (error) => void (this.#stopped || socket.errors.push(JSON.stringify(error))),
        complete: () => void (this.#stopped || socket.errors.push('the subscription was completed')),
      },
    );
  }
}

/** Times between one connection and the next. */
function gapsOf(connections: readonly Connection[]): { from: number; ms: number }[] {
  const acknowledged = connections.filter(({ acknowledgedAt }) => acknowledgedAt !== null);
  return acknowledged.slice(1).flatMap(({ acknowledgedAt }, index) => {
    const from = acknowledged[index]!.closedAt;
    return from === null ? [] : [{ from, ms: acknowledgedAt! - from }];
  });
}
