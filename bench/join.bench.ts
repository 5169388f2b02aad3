import { writeFileSync } from 'node:fs';
import { join as path } from 'node:path';
import { JoinQueueDocument } from '../test/graphql/operations.js';
import type { Buyer } from '../test/support/builder.js';
import type { Bench, BenchRun } from './bench.js';
import { timeJoinScript } from './join/script.js';
import { HttpConnection, requestOf } from './support/http-connection.js';
import { interleave, WARM_UP, type Side } from './support/interleave.js';
import { Load, sampleOf } from './support/load.js';
import { bodyOf } from './support/operations.js';
import type { Server } from './support/process.js';
import { metricOf, pairedRatio, spreadOf, type Sample } from './support/stats.js';
import type { BenchWorld } from './support/world.js';

/** The crowd comes: everybody joins the line of a concert at once. */
export const join: Bench = { name: 'join', asks: 'What does it cost to take a place in line, over HTTP and in Redis?', run: measure };

const BARE = 'node:http';
const JOIN = 'join';
const TRIVIAL = 'trivial query';
const CONNECTIONS = 50;
/** Requests of a warm-up: V8 still compiles, at the cost of the same core, until almost 20,000 joins have been answered. Trivial queries come after them: most of their way is warm. */
const WARM_REQUESTS = 18_000;
const WARM_TRIVIAL_REQUESTS = 6000;
/** In the answer to a join. */
const TOKEN = '"token"';
const TRIVIAL_BODY = bodyOf('query Currency { currency }');

async function measure(run: BenchRun): Promise<void> {
  // Nobody is admitted: what is measured is the line alone.
  const world = await run.part('stores', () => run.world({ env: { QUEUE_ACTIVE_MAX: '0' } }));
  await run.part('over HTTP', () => overHttp(run, world));
  await run.part('the script', () => timeJoinScript(run, world));
}

async function overHttp(run: BenchRun, world: BenchWorld): Promise<void> {
  const arranging = run.part('users', () => world.build.buyers(run.sized({ quick: 3000, full: 20_000 })));
  const [users, api, worker, load] = await Promise.all([arranging, world.frontrow('api'), world.frontrow('worker'), Load.start(world)]);
  const bare = await bareSide(world, api, users[0]!);
  const pids = (server: Server): number[] => [server.pid, world.database.pid, world.redis.pid];
  const time = async (server: Server, requests: string[], succeeds: string) => {
    const result = await load.requests({ port: server.port, connections: CONNECTIONS, requests, succeeds, pids: pids(server) });
    if (result.errors > 0) throw new Error(`${server.name}: ${result.errors} errors: ${result.firstErrors.join('\n')}`);
    return sampleOf(result);
  };
  const requestsTo = (body: string): string[] => users.map(({ accessToken }) => requestOf(body, { accessToken }));
  const warm = (measure: () => Promise<Sample>, requests: number, until = WARM_REQUESTS): Side['measure'] => async (round) => {
    for (let answered = requests; round === WARM_UP && answered < until; answered += requests) await measure();
    return measure();
  };
  // Everybody is new in the line in each round; bare bytes are counted more often, as each of them costs so little.
  const bareTimes = run.sized({ quick: 4, full: 2 });
  const sides: Side[] = [
    { name: BARE, measure: warm(() => time(bare, Array(bareTimes).fill(requestsTo(TRIVIAL_BODY)).flat() as string[], TOKEN), bareTimes * users.length) },
    { name: JOIN, measure: warm(async () => time(api, requestsTo(bodyOf(JoinQueueDocument, { concertId: (await world.build.concert({ seats: 1 })).id })), TOKEN), users.length) },
    { name: TRIVIAL, measure: warm(() => time(api, requestsTo(TRIVIAL_BODY), '"currency"'), users.length, WARM_TRIVIAL_REQUESTS) },
  ];
  const rounds = await interleave(run, 'joins over HTTP', sides, run.sized({ quick: 3, full: 5 }));
  run.note(`Over HTTP ${users.length} users, each with a session of its own, join a concert that is new in each round, over ${CONNECTIONS} connections; ${BARE} answers with as many bytes. Places and positions are real, nobody is admitted meanwhile, and a worker looks after the line on the other core.`);
  run.compare(`join over HTTP by ${BARE}, processor time`, rounds, { of: JOIN, to: BARE, metric: 'cpuUs', better: 'lower', wanted: { atLeast: 0.28, aim: 0.55 } });
  const toTrivial = pairedRatio(rounds, { of: JOIN, to: TRIVIAL, metric: 'cpuUs', better: 'lower' });
  run.table({
    title: 'Joining over HTTP',
    columns: ['', 'server µs', 'stores µs', 'per second', 'p95 ms'],
    rows: sides.map(({ name }) => [name, ...['cpuUs', 'storesUs', 'perSecond', 'p95Ms'].map((metric) => spreadOf(metricOf(rounds, name, metric)).median)]),
    note: `A join costs the server ${(1 / toTrivial.median).toFixed(2)} times a trivial query.`,
  });
  await Promise.all([api, worker, bare].map((server) => server.stop()));
}

async function bareSide(world: BenchWorld, api: Server, user: Buyer): Promise<Server> {
  const { id } = await world.build.concert({ seats: 1 });
  const connection = await HttpConnection.open(api.port);
  const { body } = await connection.send(requestOf(bodyOf(JoinQueueDocument, { concertId: id }), { accessToken: user.accessToken }));
  connection.close();
  const file = path(world.folder, 'join-answers.json');
  writeFileSync(file, JSON.stringify({ graphql: body.toString() }));
  return world.side('bare-http.ts', { ANSWERS: file });
}
