import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { jobCatalogue } from '../src/redis/jobs.js';
import { keys } from '../src/redis/keys.js';
import type { Drill, DrillRun } from './drill.js';
import { accountMutations } from './fail-points/account-mutations.js';
import { adminMutations } from './fail-points/admin-mutations.js';
import { dieInJob, dieInMutation, healJobs, recordJobs, recordMutations, type LeftBehind } from './fail-points/cases.js';
import { drilledJobs } from './fail-points/jobs.js';
import { Lane, type Case } from './fail-points/lane.js';
import { saleMutations } from './fail-points/sale-mutations.js';
import type { Hit } from './inject/killer.js';
import { BEFORE_DONE, BEFORE_REPLY } from './inject/points.js';
import { readFinalState } from './support/final-state.js';
import { checkSale } from './support/model.js';
import { settle, violatedInvariants } from './support/settle.js';

/** Kills a process at every point of every mutation and job, and looks what becomes of it. */

const HITS = [1, 2, 3];
const mutations = [...saleMutations, ...accountMutations, ...adminMutations];

/** What a case of a mutation needs: holds that outlast it. */
const MUTATION_ENV = { HOLD_TTL_MS: '30000', QUEUE_PASS_ATTEMPTS_MAX: '100000', QUEUE_PASS_TTL_MS: '60000', SWEEP_INTERVAL_MS: '1000' };
/** What a case of a job needs: that it comes soon. */
const JOB_ENV = { HOLD_TTL_MS: '500', QUEUE_PASS_ATTEMPTS_MAX: '100000', QUEUE_ADMIT_COUNT: '500', QUEUE_ADMIT_INTERVAL_MS: '100', QUEUE_TICK_MS: '100', SWEEP_INTERVAL_MS: '1000' };
/** Jobs of workers that died are given to others after half a minute. */
const STALLED_JOBS_MS = 90_000;
/** Who changes no catalogue asks for it only where what is remembered of it for a moment has grown old: there nobody can be made to die each time. */
const ASKED_NOW_AND_THEN = 'after catalogue-ask';
/** Left-behind work is looked after once in so many cases, so that a worker starts for several. */
const CASES_PER_HEALING = 9;

export const failPoints: Drill = {
  name: 'fail-points',
  proves: 'a process may die at any point of any mutation or job: the repeated call gives the one right answer, and what nobody repeats heals within 10 s',
  run: (run) => run.sized({ small, full })(run),
};

async function full(run: DrillRun): Promise<void> {
  expectComplete(run);
  const cases = await Promise.all([fullMutations(run), fullJobs(run)]);
  run.figure('trials', cases[0] + cases[1]);
}

/** A mutation or job that nobody makes die is not proven. */
function expectComplete(run: DrillRun): void {
  const asked = Object.keys(buildSchema(readFileSync('src/schema/schema.graphql', 'utf8')).getMutationType()!.getFields());
  const missing = [...asked.filter((name) => !mutations.some((one) => one.name === name)), ...Object.keys(jobCatalogue).filter((name) => !drilledJobs.some((one) => one.name === name))];
  run.expect(missing.length === 0, `each mutation and job is made to die; not so: ${missing.join(', ')}`);
}

/** What was recorded, in an order of chance; each must have passed the points it is known to have. */
function casesOf(lane: Lane, hits: readonly Hit[], operations: readonly { name: string; through: readonly string[] }[], always: string): Case[] {
  const passed = new Set(hits.map(({ operation, point }) => `${operation}\t${point}`));
  for (const { name, through } of operations) {
    for (const point of [...through, always]) lane.run.expect(passed.has(`${name}\t${point}`), `${name} passes the point "${point}"`);
  }
  const isCase = (operation: string, point: string): boolean =>
    operations.some(({ name }) => name === operation) && (point !== ASKED_NOW_AND_THEN || adminMutations.some(({ name }) => name === operation));
  const pairs = [...passed].map((key) => key.split('\t') as [string, string]).filter(([operation, point]) => isCase(operation, point));
  return lane.run.random.fork(always).shuffle(pairs.flatMap(([operation, point]) => HITS.map((hit): Case => ({ operation, point, hit }))));
}

/** Answers how many cases there were. */
async function fullMutations(run: DrillRun): Promise<number> {
  const lanes = await Promise.all(['mutations', 'more-mutations'].map((name) => Lane.open(run, name, { apis: 2, workers: 1, env: MUTATION_ENV })));
  const hits = await run.part('every mutation once, recording its points', () => recordMutations(lanes[0]!, mutations));
  const cases = casesOf(lanes[0]!, hits, mutations, BEFORE_REPLY);
  run.figure('mutation cases', cases.length);
  await run.part('mutations', () => Promise.all(lanes.map((lane, turn) => runMutations(lane, cases.filter((_, index) => index % lanes.length === turn)))));
  for (const lane of lanes) await judge(lane);
  return cases.length;
}

async function runMutations(lane: Lane, cases: readonly Case[]): Promise<void> {
  const healing: Promise<void>[] = [];
  for (const [index, aim] of cases.entries()) {
    const { work } = await dieInMutation(lane, mutations.find(({ name }) => name === aim.operation)!, aim);
    // Awaited in the end, which may not come.
    work.catch(() => undefined);
    healing.push(work);
    if (index % 25 === 24) lane.run.say(`${lane.name}: ${index + 1} of ${cases.length} cases`);
  }
  await Promise.all(healing);
}

async function fullJobs(run: DrillRun): Promise<number> {
  const lane = await Lane.open(run, 'jobs', { apis: 1, workers: 1, env: JOB_ENV });
  const hits = await run.part('every job once, recording its points', () => recordJobs(lane, drilledJobs));
  const cases = casesOf(lane, hits, drilledJobs, BEFORE_DONE);
  await run.part('jobs', () => runJobs(lane, cases));
  await judge(lane);
  return cases.length;
}

async function runJobs(lane: Lane, cases: readonly Case[]): Promise<void> {
  lane.run.figure('job cases', cases.length);
  const left: LeftBehind[] = [];
  let slowestMs = 0;
  for (const [index, aim] of cases.entries()) {
    left.push(...(await dieInJob(lane, drilledJobs.find(({ name }) => name === aim.operation)!, aim)));
    if (index % CASES_PER_HEALING !== CASES_PER_HEALING - 1 && index !== cases.length - 1) continue;
    slowestMs = Math.max(slowestMs, await healJobs(lane, left.splice(0)));
    lane.run.say(`${index + 1} of ${cases.length} job cases`);
  }
  lane.run.figure('slowest healing of a job, ms', Math.round(slowestMs));
}

/** Comes to rest, and everything that clients saw and every row is as it must be. */
async function judge(lane: Lane): Promise<void> {
  const { run, world, history, cancelledDates } = lane;
  await settle(run, world, { withinMs: STALLED_JOBS_MS });
  const final = await readFinalState(world.app);
  run.violations(checkSale(history, final, { seatsPerUserMax: world.app.config.seatsPerUserMax, cancelledDates }));
  run.violations(await violatedInvariants(world, true));
  const lost = await unstreamed(lane);
  run.expect(lost.length === 0, `every event is in the stream; not so: ${lost.length}, such as ${lost[0]}`);
}

async function unstreamed(lane: Lane): Promise<string[]> {
  const entries = await lane.world.app.redis.xrange(keys.events(), '-', '+');
  const streamed = new Set(entries.map(([, pairs]) => pairs[pairs.indexOf('id') + 1]!));
  return (await lane.rows<{ id: string }>('select event_id as id from outbox_event', [])).map(({ id }) => id).filter((id) => !streamed.has(id));
}

/** Points whose loss would hurt most; a few of them by chance. */
const SMALL_MUTATIONS: [string, string][] = [
  ['reserve', 'after seat-take'], ['reserve', 'after commit'], ['pay', 'before commit'], ['pay', 'after commit'], ['charge', 'after commit'],
  ['cancelReservation', 'after commit'], ['refund', 'after commit'], ['refund', BEFORE_REPLY], ['joinQueue', 'after queue-join'], ['signUp', 'after commit'],
];
const SMALL_JOBS: [string, string][] = [['relay', 'after relay-publish'], ['admission', 'after queue-admit'], ['admission', 'after commit']];

async function small(run: DrillRun): Promise<void> {
  expectComplete(run);
  const lane = await Lane.open(run, 'small', { apis: 2, workers: 1, env: { ...JOB_ENV, HOLD_TTL_MS: '3000' } });
  const asked = ([operation, point]: [string, string]): Case => ({ operation, point, hit: 1 });
  const cases = run.random.sample(SMALL_MUTATIONS, 3).map(asked);
  await run.part('a mutation once, recording its points', () => recordMutations(lane, run.random.sample(saleMutations, 1)));
  run.figure('mutation cases', cases.length);
  await run.part('mutations', () => runMutations(lane, cases));
  await run.part('a job', () => runJobs(lane, run.random.sample(SMALL_JOBS, 1).map(asked)));
  await judge(lane);
}
