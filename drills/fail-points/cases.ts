import { setTimeout as delay } from 'node:timers/promises';
import type { Hit } from '../inject/killer.js';
import { BEFORE_DONE } from '../inject/points.js';
import type { FrontrowNode } from '../support/processes.js';
import { nameOf, type Case, type Lane } from './lane.js';
import type { DrilledJob, Work } from './jobs.js';
import type { DrilledMutation, Rehearsal } from './rehearsal.js';

/** One case: a process runs an operation until it dies at its point, and what becomes of it. */

const DIES_WITHIN_MS = 5000;
/** Ten seconds, and what asking takes. */
const HEALS_WITHIN_MS = 11_000;
/** Name of the log of one who is not to die. */
const RECORD = 'record';
/** A job may find nothing to do for a while: others of its own kind do it. */
const TURNS_MAX = 12;

/** Whether it was killed, by nobody but itself. */
async function died(victim: FrontrowNode, withinMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(withinMs, null, { signal: timer.signal }).catch(() => null);
  const end = victim.pid === 0 ? await victim.ended() : await Promise.race([victim.ended(), late]);
  timer.abort();
  return end === 'SIGKILL';
}

/** Every operation once, at a process that writes down what points it passes. */
export async function recordMutations(lane: Lane, mutations: readonly DrilledMutation[]): Promise<Hit[]> {
  const victim = lane.victim('api');
  await lane.arm(victim, RECORD);
  for (const mutation of mutations) {
    const rehearsal = await mutation.arrange(lane);
    const reply = await rehearsal.call(victim);
    blame(lane, `${mutation.name} without a fault`, await rehearsal.wrong(reply, null));
  }
  await victim.kill();
  return lane.hits(RECORD);
}

const blame = (lane: Lane, where: string, wrong: readonly string[]): void => {
  for (const what of wrong) lane.run.expect(false, `${where}: not so: ${what}`);
};

/** The second hit is left to heal by itself before the client repeats the call; others are repeated at once. `work` is what is still to come. */
export async function dieInMutation(lane: Lane, mutation: DrilledMutation, aim: Case): Promise<{ work: Promise<void> }> {
  const victim = lane.victim('api');
  const name = nameOf(aim);
  await lane.arm(victim, name, aim);
  for (let turn = 1; turn <= aim.hit + 1; turn += 1) {
    const rehearsal = await mutation.arrange(lane);
    const reply = await rehearsal.call(victim);
    if (reply.outcome === 'unknown' || lane.hits(name).length >= aim.hit) {
      lane.run.expect((await died(victim, DIES_WITHIN_MS)) && lane.hits(name).length === aim.hit, `${name}: the process dies there`);
      return { work: afterwards(lane, rehearsal, aim) };
    }
    blame(lane, `${name}, turn ${turn}`, await rehearsal.wrong(reply, null));
  }
  lane.run.expect(false, `${name}: the point was hit ${lane.hits(name).length} times`);
  await victim.kill();
  return { work: Promise.resolve() };
}

async function afterwards(lane: Lane, rehearsal: Rehearsal, aim: Case): Promise<void> {
  const { healed } = rehearsal;
  if (healed && aim.hit === 2) lane.run.expect(await lane.eventually(() => healed(), HEALS_WITHIN_MS), `${nameOf(aim)}: it heals by itself within 10 s`);
  const reply = await lane.client.untilKnown((via) => rehearsal.call(via));
  blame(lane, nameOf(aim), await rehearsal.wrong(reply, aim.point));
}

/** Each job once, at a worker that writes down what points it passes. Answers those that it passed for its own work. */
export async function recordJobs(lane: Lane, jobs: readonly DrilledJob[]): Promise<Hit[]> {
  const victim = lane.victim('worker');
  await lane.arm(victim, RECORD);
  const passed: Hit[] = [];
  for (const job of jobs) {
    const before = lane.hits(RECORD).length;
    const own = (): Hit[] => lane.hits(RECORD).slice(before).filter(({ operation }) => operation === job.name);
    const work = await job.give(lane);
    lane.run.expect(await lane.eventually(() => work.done(), HEALS_WITHIN_MS), `${job.name} without a fault: ${work.what}`);
    // Its work may be seen to be done before it is at its end.
    await lane.eventually(async () => [...job.through, BEFORE_DONE].every((wanted) => own().some(({ point }) => point === wanted)), HEALS_WITHIN_MS);
    passed.push(...own());
  }
  await victim.kill();
  return passed;
}

/** Work that a worker left behind. */
export interface LeftBehind {
  aim: Case;
  work: Work;
  withinMs: number;
}

/** The worker gets work until it dies at the point. Answers all that it was given. */
export async function dieInJob(lane: Lane, job: DrilledJob, aim: Case): Promise<LeftBehind[]> {
  const victim = lane.victim('worker');
  const name = nameOf(aim);
  await lane.arm(victim, name, aim);
  const left: LeftBehind[] = [];
  const isOver = (): boolean => victim.pid === 0 || lane.hits(name).length >= aim.hit;
  for (let turn = 1; turn <= TURNS_MAX && !isOver(); turn += 1) {
    const before = lane.hits(name).length;
    left.push({ aim, work: await job.give(lane), withinMs: job.withinMs });
    await lane.eventually(async () => isOver() || lane.hits(name).length > before, DIES_WITHIN_MS);
  }
  if (isOver()) {
    lane.run.expect((await died(victim, DIES_WITHIN_MS)) && lane.hits(name).length === aim.hit, `${name}: the process dies there`);
    return left;
  }
  lane.run.expect(false, `${name}: the point was hit ${lane.hits(name).length} times`);
  await victim.kill();
  return left;
}

/** With a healthy worker everything that was left behind is done in time. Answers the longest time it took. */
export async function healJobs(lane: Lane, left: readonly LeftBehind[]): Promise<number> {
  await lane.disarm(lane.victim('worker'));
  const startedAt = performance.now();
  const times = await Promise.all(
    left.map(async ({ aim, work, withinMs }) => {
      lane.run.expect(await lane.eventually(() => work.done(), withinMs), `${nameOf(aim)}: within ${withinMs / 1000} s ${work.what}`);
      return performance.now() - startedAt;
    }),
  );
  return Math.max(0, ...times);
}
