import { writeFileSync } from 'node:fs';
import { join as pathOf } from 'node:path';
import { print } from 'graphql';
import pLimit from 'p-limit';
import { topics } from '../../src/redis/pubsub.js';
import { WatchQueuePositionDocument } from '../../test/graphql/operations.js';
import type { BenchRun } from '../bench.js';
import { Arena } from '../support/arena.js';
import { JobProcess } from '../support/child-process.js';
import { residentBytesOf } from '../support/cpu.js';
import { Histogram } from '../support/histogram.js';
import type { Server } from '../support/process.js';
import { barOf, isNoisy, medianOf, spreadOf } from '../support/stats.js';
import type { BenchWorld } from '../support/world.js';
import type { OpenJob, OpenResult, WatchJob, WatchResult } from './watch-jobs.js';

/** One queue that admits one person each second, so that the position of everybody else changes each second. */

const FEW = 1000;
const SOME = 5000;
/** A process has 20,000 descriptors here. */
const MANY = 19_500;
/** Joined before all who watch: they are the ones who are admitted meanwhile. */
const AHEAD = 600;
const JOINS_AT_ONCE = 256;
const ONE_PER_SECOND = { QUEUE_ADMIT_COUNT: '1', QUEUE_ADMIT_INTERVAL_MS: '1000' };

interface Crowd {
  concertId: string;
  /** File of access tokens. */
  tokens: string;
}

interface Measured {
  side: SideName;
  sockets: number;
  /** One for each of several stretches of time. */
  coreShare: number[];
  p99Ms: number[];
  perSecond: number;
  p50Ms: number;
  maxMs: number;
  kBPerSocket: number;
  /** Over Redis with each telling, as a rule. */
  overRedis: number;
  commands: number;
  connectedPerSecond: number;
}

const EVERYBODY = 'everybody told each second';
const THINNED = 'as it is: far back every 10 s';
const PLAIN = 'plain ws, same bytes to all';
/** Programs of bench/sides; null: Frontrow as it is built. */
const PROGRAMS = { [EVERYBODY]: 'frontrow-tells-all.ts', [THINNED]: null, [PLAIN]: 'plain-ws.ts' };
type SideName = keyof typeof PROGRAMS;

interface Side {
  name: SideName;
  server: Server;
  load: JobProcess;
}

export async function timeWaiting(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world({ env: ONE_PER_SECOND }));
  const names = run.sized<SideName[]>({ quick: [EVERYBODY, PLAIN], full: [EVERYBODY, THINNED, PLAIN] });
  // All of them start while the line is made: nothing is measured yet, and who has no sockets costs nothing later.
  const [crowd, sides] = await Promise.all([run.part('the line', () => joinAll(run, world)), Promise.all(names.map((name) => startSide(world, name))), world.frontrow('worker')]);
  const steps = run.sized({ quick: [FEW, MANY], full: [FEW, SOME, MANY] });
  const ofOthers = run.sized({ quick: [SOME], full: [MANY] });
  const all: Measured[] = [];
  for (const side of sides) {
    all.push(...(await run.part(side.name, () => timeSide(run, world, crowd, side, side.name === EVERYBODY ? steps : ofOthers))));
    await Promise.all([side.server.stop(), side.load.close()]);
  }
  judge(run, all);
  report(run, all);
}

async function startSide(world: BenchWorld, name: SideName): Promise<Side> {
  const program = PROGRAMS[name];
  const [server, load] = await Promise.all([program ? world.side(program, { ROLES: 'api' }) : world.frontrow('api'), world.jobs('bench/sockets/watch-child.ts')]);
  return { name, server, load };
}

async function joinAll(run: BenchRun, world: BenchWorld): Promise<Crowd> {
  const arena = Arena.ofFrontrow(world);
  const { concertId } = await arena.show(1, 50);
  const people = await arena.people(AHEAD + MANY);
  const limit = pLimit(JOINS_AT_ONCE);
  const tokenExpiresAt = new Date(Date.now() + 3_600_000);
  const join = ({ id: userId, sessionId }: { id: string; sessionId: string }) => world.app.services.queue.join({ userId, role: 'USER', sessionId, tokenExpiresAt }, concertId);
  await Promise.all(people.slice(0, AHEAD).map((person) => limit(() => join(person))));
  const watching = people.slice(AHEAD);
  await Promise.all(watching.map((person) => limit(() => join(person))));
  const tokens = pathOf(world.folder, 'tokens.json');
  writeFileSync(tokens, JSON.stringify(watching.map(({ accessToken }) => accessToken)));
  run.say(`${people.length} people are in line`);
  return { concertId, tokens };
}

async function timeSide(run: BenchRun, world: BenchWorld, { concertId, tokens }: Crowd, { name, server, load }: Side, steps: readonly number[]): Promise<Measured[]> {
  const subscription = name === PLAIN ? null : { query: print(WatchQueuePositionDocument), variables: { concertId } };
  const told = name === PLAIN ? ('in the message' as const) : { redis: world.redisUrl, topic: topics.queueMoved(concertId) };
  const measured: Measured[] = [];
  const emptyBytes = residentBytesOf(server.pid);
  let from = 0;
  for (const to of steps) {
    const opened = await load.ask<OpenResult>({ kind: 'open', port: server.port, subscription, tokens, from, to } satisfies OpenJob);
    if (opened.open !== to) throw new Error(`${name}: of ${to} sockets ${to - opened.open} were lost while the others came.`);
    run.say(`${name}: ${opened.open} sockets after ${opened.seconds.toFixed(1)} s`);
    const before = await redisCommands(world);
    const { stretches, lost, why } = await load.ask<WatchResult>({ kind: 'watch', ...stretchesOf(run, to), told, pids: [server.pid] } satisfies WatchJob);
    const after = await redisCommands(world);
    if (lost > 0) throw new Error(`${name}: ${lost} sockets were lost: ${why}`);
    const seconds = stretches.reduce((sum, stretch) => sum + stretch.seconds, 0);
    const delays = Histogram.of(...stretches.map((stretch) => stretch.delays));
    measured.push({
      side: name, sockets: to, coreShare: stretches.map(({ cpuUs, seconds: long }) => cpuUs[0]! / (long * 1e6)), p99Ms: stretches.map((stretch) => Histogram.of(stretch.delays).quantileMs(0.99)),
      perSecond: stretches.reduce((sum, { messages }) => sum + messages, 0) / seconds, p50Ms: delays.quantileMs(0.5), maxMs: delays.maxMs,
      kBPerSocket: (residentBytesOf(server.pid) - emptyBytes) / to / 1024,
      overRedis: medianOf(stretches.flatMap((stretch) => stretch.overRedis)), commands: (after.commands - before.commands) / (after.at - before.at),
      connectedPerSecond: (to - from) / opened.seconds,
    });
    from = to;
  }
  return measured;
}

/** What is gated takes several of several tellings; what tells whether the machine is steady several. */
const stretchesOf = (run: BenchRun, sockets: number): { stretches: number; tellings: number } =>
  run.sized({ quick: { stretches: sockets === FEW ? 1 : 2, tellings: sockets === MANY ? 2 : 1 }, full: { stretches: 5, tellings: 4 } });

/** What Redis has done since it began, at what second. */
async function redisCommands({ app }: BenchWorld): Promise<{ at: number; commands: number }> {
  const stats = await app.redis.info('stats');
  return { at: performance.now() / 1000, commands: Number(/total_commands_processed:(\d+)/.exec(stats)?.[1] ?? 0) };
}

function judge(run: BenchRun, all: readonly Measured[]): void {
  const of = (side: SideName, sockets: number): Measured => all.find((one) => one.side === side && one.sockets === sockets)!;
  const [few, many] = [of(EVERYBODY, FEW), of(EVERYBODY, MANY)];
  // Sending alone, which has no reason to change, tells whether the machine was steady.
  const plain = spreadOf(all.find(({ side }) => side === PLAIN)!.coreShare);
  const noisy = isNoisy({ limitSpread: plain.max / plain.min });
  const gate = (name: string, values: readonly number[], wanted: { atMost: number; unit?: string }): void => {
    const { median, min, max } = spreadOf(values);
    run.gate({ name: `${MANY} sockets, an update each second: ${name}`, value: median, min, max, noisy, ...wanted });
  };
  gate('share of a core', many.coreShare, { atMost: 0.35 });
  gate('p99 from the change to the socket', many.p99Ms, { atMost: 500, unit: ' ms' });
  run.gate({ name: `${MANY} sockets: memory of the server per socket`, value: many.kBPerSocket, unit: ' kB', atMost: 22 });
  run.gate({ name: `${MANY} sockets: updates of each per second`, value: many.perSecond / MANY, atLeast: 0.9 });
  run.gate({ name: `messages over Redis with each telling to ${MANY} sockets, by those to ${FEW}`, value: many.overRedis / few.overRedis, atMost: 1.25 });
}

function report(run: BenchRun, all: readonly Measured[]): void {
  run.note(`One concert's line, which admits one person each second; everybody who watches has a user, a session and a socket of their own. Thinning off is a switch of the bench's own program (bench/sides/frontrow-tells-all.ts) around the built server. Delay: from the message over Redis that tells of the move, as the load process hears it, to the update on each socket; where the far ones are told in turns that is no delay of one message, and is not shown.`);
  if (!all.some(({ side }) => side === THINNED)) run.note('Only a full run shows what it costs where those far back are told every 10 s, as the product does it, and 5,000 who are told each second.');
  run.note(`${PLAIN}: ws as its documentation says, the same JSON to every socket once a second, without subscription, users or guards; delay from the first send.`);
  const cell = (one: Measured, value: number): number | string => (one.side === THINNED ? '–' : value);
  run.table({
    title: 'Waiting',
    columns: ['', 'sockets', 'share of a core', 'updates/s', 'p50 ms', 'p99 ms', 'max ms', 'kB per socket', 'Redis messages a telling', 'Redis commands/s', 'connected/s'],
    rows: all.map((one) => [
      one.side, one.sockets, spreadOf(one.coreShare).median, one.perSecond, cell(one, one.p50Ms), cell(one, spreadOf(one.p99Ms).median), cell(one, one.maxMs), one.kBPerSocket, one.overRedis, one.commands, one.connectedPerSecond,
    ]),
    note: 'Messages are all but the heartbeats, of which there are two each 5 s; commands are all of this Redis, those of the worker and its jobs too.',
  });
  run.plot({ kind: 'bars', title: 'Share of a core', unit: 'share', bars: all.map(({ side, sockets, coreShare }) => ({ name: `${side}, ${sockets}`, ...barOf(spreadOf(coreShare)) })), references: [{ name: 'at most 0.35', value: 0.35 }] });
}
