import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConcertsDocument, SeatsDocument } from '../test/graphql/operations.js';
import type { AdmittedBuyer } from '../test/support/builder.js';
import type { Bench, BenchRun, Wanted } from './bench.js';
import type { Data } from './sides/support/reads-schema.js';
import { HttpConnection, requestOf } from './support/http-connection.js';
import { interleave, WARM_UP, type Side } from './support/interleave.js';
import { Load, sampleOf } from './support/load.js';
import { bodyOf } from './support/operations.js';
import type { Server } from './support/process.js';
import { barOf, metricOf, spreadOf, type Rounds } from './support/stats.js';
import type { BenchWorld } from './support/world.js';

/** Reads of signed-in users, beside the servers one would take instead. */
export const reads: Bench = {
  name: 'reads',
  asks: 'What does one read cost the server, beside Mercurius with graphql-jit, GraphQL Yoga, Apollo, and node:http with the same bytes?',
  run: measure,
};

const BARE = 'node:http';
const MERCURIUS = 'Mercurius + jit';
const FRONTROW = 'Frontrow';
const YOGA = 'GraphQL Yoga';
const APOLLO = 'Apollo';

interface Read {
  name: string;
  body: string;
  /** In every answer. */
  succeeds: string;
  /** Answers of all buyers have the same length. */
  alike: boolean;
  queueToken?: (buyer: Buyer) => string;
  connections: number;
  /** Nobody is asked who shares the core of the load. */
  isFromMemory: boolean;
  /** Of the sides that a gate is about; the others are shown for one read alone, after one round. A turn takes many times the 10 ms that the kernel counts in. */
  quick: { rounds: number; turnMs: number; byAll?: true };
  /** Wanted: by Mercurius, and by node:http. */
  gates: { mercurius?: Wanted; bare?: Wanted };
}

/** Signed in, with a pass for both concerts. */
interface Buyer {
  small: AdmittedBuyer;
  large: AdmittedBuyer;
}

const FULL = { rounds: 5, warmUpMs: 4000, turnMs: 2000 };
const MANY_CONNECTIONS = 50;
/** Of answers that are a megabyte long. */
const FEW_CONNECTIONS = 8;

async function measure(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world());
  const [{ buyers, reads }, frontrow, load] = await run.part('Frontrow, users, dates and seats', () => Promise.all([arrange(run, world), world.frontrow('api'), Load.start(world)]));
  const sides = await run.part('the other sides', () => startSides(world, frontrow, reads, buyers));
  tellWhatTheyDo(run, buyers.length);
  if (run.mode === 'quick') run.note('Of a side that nothing is to be shown beside a quick run times 50 seats alone, a full one all reads.');
  const all: [Read, Rounds][] = [];
  for (const read of reads) {
    const bytes = await checkSameBytes(read, sides, buyers);
    const rounds = await run.part(read.name, () => timeRead(run, world, load, read, sides, buyers, bytes));
    gatesOf(run, read, rounds);
    all.push([read, rounds]);
  }
  report(run, all);
}

function tellWhatTheyDo(run: BenchRun, users: number): void {
  run.note(`${users} signed-in users take turns over keep-alive connections; the server under test has a core for itself. A ratio compares processor time per request of the server's process, within one round.`);
  run.note('Frontrow runs with every guard on: NODE_ENV=production, sessions that can be signed out, rate limits by address and user (their numbers raised), ACTIVE passes for seats, masking, metrics, request ids.');
  run.note(`${MERCURIUS}, GraphQL Yoga and Apollo are set up as their documentation says. They verify the same access token with jose and guard nothing else; concerts and seats are plain objects in their memory, their best case; me is read from the same rows with mysql2.`);
  run.note(`${BARE} checks nothing and answers with bytes that were ready before. All GraphQL servers answered with the same bytes, but for a newline that Apollo adds.`);
}

async function arrange(run: BenchRun, world: BenchWorld): Promise<{ buyers: Buyer[]; reads: Read[] }> {
  const { build } = world;
  for (let index = 0; index < 18; index += 1) await build.concert({ seats: 50, dates: 3 });
  const small = await build.concert({ seats: 50, dates: 3 });
  const large = await build.concert({ seats: 10_000 });
  const users = await build.buyers(run.sized({ quick: 64, full: 256 }), { balance: 50_000 });
  const ofSmall = await build.admit(small.id, users);
  const ofLarge = await build.admit(large.id, users);
  return {
    buyers: users.map((_, index) => ({ small: ofSmall[index]!, large: ofLarge[index]! })),
    reads: [
      { name: 'trivial', body: bodyOf('query Currency { currency }'), succeeds: '"currency"', alike: true, connections: MANY_CONNECTIONS, isFromMemory: true, quick: { rounds: 2, turnMs: 300 }, gates: { mercurius: { atLeast: 0.9, aim: 1 } } },
      { name: 'concerts', body: bodyOf(ConcertsDocument, { first: 20 }), succeeds: '"title"', alike: true, connections: MANY_CONNECTIONS, isFromMemory: true, quick: { rounds: 2, turnMs: 300 }, gates: { mercurius: { atLeast: 1.5 }, bare: { atLeast: 0.45, aim: 0.6 } } },
      { name: '50 seats', body: bodyOf(SeatsDocument, { scheduleId: small.scheduleId }), succeeds: '"number"', alike: true, queueToken: (buyer) => buyer.small.queueToken, connections: MANY_CONNECTIONS, isFromMemory: true, quick: { rounds: 2, turnMs: 300, byAll: true }, gates: { mercurius: { atLeast: 1.5 }, bare: { atLeast: 0.45, aim: 0.6 } } },
      { name: '10,000 seats', body: bodyOf(SeatsDocument, { scheduleId: large.scheduleId }), succeeds: '"number"', alike: true, queueToken: (buyer) => buyer.large.queueToken, connections: FEW_CONNECTIONS, isFromMemory: true, quick: { rounds: 3, turnMs: 450 }, gates: { bare: { atLeast: 0.6 } } },
      { name: 'me', body: bodyOf('query Me { me { id email name balance } }'), succeeds: '"balance"', alike: false, connections: MANY_CONNECTIONS, isFromMemory: false, quick: { rounds: 2, turnMs: 300 }, gates: { mercurius: { atLeast: 0.9, aim: 1 } } },
    ],
  };
}

type Sides = Map<string, Server>;

const pathOf = (name: string, { name: read }: Read): string => (name === BARE ? `/${encodeURIComponent(read)}` : '/graphql');
const requestFor = (name: string, read: Read, buyer: Buyer): string =>
  requestOf(read.body, { accessToken: buyer.small.accessToken, path: pathOf(name, read), ...(read.queueToken ? { queueToken: read.queueToken(buyer) } : {}) });

async function answerOf(name: string, server: Server, read: Read, buyer: Buyer): Promise<string> {
  const connection = await HttpConnection.open(server.port);
  try {
    const { status, body } = await connection.send(requestFor(name, read, buyer));
    if (status !== 200 || body.includes('"errors"')) throw new Error(`${name} answers ${read.name} with ${status}: ${body.toString().slice(0, 500)}`);
    return body.toString();
  } finally {
    connection.close();
  }
}

/** The others are given what Frontrow answers. */
async function startSides(world: BenchWorld, frontrow: Server, reads: readonly Read[], buyers: readonly Buyer[]): Promise<Sides> {
  const answers: Record<string, string> = {};
  const data: Data = { concerts: { nodes: [] }, seats: {} };
  for (const read of reads) {
    const body = await answerOf(FRONTROW, frontrow, read, buyers[0]!);
    answers[encodeURIComponent(read.name)] = body;
    const answer = (JSON.parse(body) as { data: { concerts?: Data['concerts']; seats?: object[] } }).data;
    if (answer.concerts) data.concerts = answer.concerts;
    if (answer.seats) data.seats[(JSON.parse(read.body) as { variables: { scheduleId: string } }).variables.scheduleId] = answer.seats;
  }
  const files = { ANSWERS: join(world.folder, 'answers.json'), DATA: join(world.folder, 'data.json') };
  writeFileSync(files.ANSWERS, JSON.stringify(answers));
  writeFileSync(files.DATA, JSON.stringify(data));
  const [bare, mercurius, yoga, apollo] = await Promise.all(['bare-http.ts', 'mercurius.ts', 'yoga.mjs', 'apollo.ts'].map((file) => world.side(file, files)));
  return new Map([[BARE, bare!], [FRONTROW, frontrow], [MERCURIUS, mercurius!], [YOGA, yoga!], [APOLLO, apollo!]]);
}

/** Answers the length of each side's answer. */
async function checkSameBytes(read: Read, sides: Sides, buyers: readonly Buyer[]): Promise<Map<string, number>> {
  const lengths = new Map<string, number>();
  const wanted = await answerOf(FRONTROW, sides.get(FRONTROW)!, read, buyers[0]!);
  for (const [name, server] of sides) {
    const body = await answerOf(name, server, read, buyers[0]!);
    if (body.trimEnd() !== wanted) throw new Error(`${name} answers ${read.name} differently:\n${body.slice(0, 300)}\nFrontrow:\n${wanted.slice(0, 300)}`);
    lengths.set(name, Buffer.byteLength(body));
  }
  return lengths;
}

const isJudged = (name: string, { gates: { mercurius, bare } }: Read): boolean => name === FRONTROW || (name === MERCURIUS && !!mercurius) || (name === BARE && !!bare);

function timeRead(run: BenchRun, world: BenchWorld, load: Load, read: Read, servers: Sides, buyers: readonly Buyer[], bytes: ReadonlyMap<string, number>): Promise<Rounds> {
  const judged = run.sized({ quick: { ...read.quick, warmUpMs: 400 }, full: FULL });
  const shown = run.sized<Omit<typeof FULL, 'turnMs'>>({ quick: { rounds: 1, warmUpMs: 300 }, full: FULL });
  const pids = (server: Server): number[] => [server.pid, world.database.pid, world.redis.pid];
  const timed = [...servers].filter(([name]) => run.mode === 'full' || read.quick.byAll || isJudged(name, read));
  const sides = timed.map(([name, server]): Side => {
    const requests = buyers.map((buyer) => requestFor(name, read, buyer));
    const { rounds, warmUpMs } = isJudged(name, read) ? judged : shown;
    const expected = read.alike ? { expectBytes: bytes.get(name)! } : {};
    return {
      name,
      rounds,
      measure: async (round) => {
        const result = await load.requests({ port: server.port, connections: read.connections, requests, succeeds: read.succeeds, ...expected, awake: read.isFromMemory, pids: pids(server), durationMs: round === WARM_UP ? warmUpMs : judged.turnMs });
        if (result.errors > 0) throw new Error(`${name}, ${read.name}: ${result.errors} errors: ${result.firstErrors.join('\n')}`);
        return sampleOf(result);
      },
    };
  });
  return interleave(run, read.name, sides, judged.rounds);
}

function gatesOf(run: BenchRun, { name, gates }: Read, rounds: Rounds): void {
  for (const [to, wanted] of [[MERCURIUS, gates.mercurius], [BARE, gates.bare]] as const) {
    if (wanted) run.compare(`${name}: Frontrow by ${to}, processor time`, rounds, { of: FRONTROW, to, metric: 'cpuUs', better: 'lower', wanted });
  }
}

function report(run: BenchRun, all: readonly [Read, Rounds][]): void {
  const names = [...new Set(all.flatMap(([, rounds]) => [...rounds.keys()]))];
  const median = (rounds: Rounds, name: string, metric: string): number | string => (rounds.has(name) ? spreadOf(metricOf(rounds, name, metric)).median : '–');
  const table = (title: string, metric: string, note: string): void =>
    run.table({ title, note, columns: ['', ...names], rows: all.map(([read, rounds]) => [read.name, ...names.map((name) => median(rounds, name, metric))]) });
  table('Processor time of the server per request, µs', 'cpuUs', 'Medians. Lower is better.');
  table('Processor time of MariaDB and Redis per request, µs', 'storesUs', 'Only Frontrow asks Redis: for rate limits, sessions and passes.');
  table('Requests per second', 'perSecond', 'With the load on the other core; node:http is held back by the load itself.');
  table('p99, ms', 'p99Ms', 'At saturation.');
  for (const [read, rounds] of all) {
    const bars = [...rounds.keys()].map((name) => ({ name, ...barOf(spreadOf(metricOf(rounds, name, 'cpuUs'))) }));
    run.plot({ kind: 'bars', title: `${read.name}: processor time per request`, unit: 'µs', bars });
  }
}
