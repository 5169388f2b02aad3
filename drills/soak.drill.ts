import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, DrillRun } from './drill.js';
import { FAULTS, type Place } from './support/any-fault.js';
import { Clocks } from './support/clocks.js';
import type { Operation } from './support/history.js';
import { environmentOf, MixedLoad } from './support/load.js';
import { expectSameProcesses } from './support/outage.js';
import { GROWTH_IS_JUDGED_AFTER_MINUTES, keptMemoryEnv, Residence } from './support/residence.js';
import { SubRun } from './support/sub-run.js';

const SIZES = {
  full: { apis: 3, workers: 2, load: { buyers: 120, seats: 300, atOnce: 10, inLine: 30, holdTtlMs: 3000, lookEveryMs: 1000, refunds: 1 }, faultEveryMs: 60_000, faultMaxMs: 10_000, faults: FAULTS },
  small: { apis: 1, workers: 1, load: { buyers: 8, seats: 30, atOnce: 2, inLine: 4, holdTtlMs: 800, lookEveryMs: 200, refunds: 1 }, faultEveryMs: 800, faultMaxMs: 400, faults: FAULTS.filter(({ name }) => name !== 'rolling restart') },
};
type Sizes = (typeof SIZES)[DrillRun['scale']];

const MINUTES = { full: 15, small: 0.03 };
/** A round is judged in its end, and the next begins with new stores and processes. */
const ROUND_MINUTES_MAX = 60;
/** A clock that is an hour ahead ends no token of the round. */
const ACCESS_TOKEN_TTL_MS = 4 * 3_600_000;

export const soak: Drill = {
  name: 'soak',
  proves: 'for as long as it is asked to last, with one fault of any kind a minute, nothing is lost, everything works again within 10 s, and processes do not grow',
  run: async (run) => {
    const sizes = run.sized<Sizes>(SIZES);
    const minutes = run.minutes ?? run.sized(MINUTES);
    const rounds = Math.ceil(minutes / ROUND_MINUTES_MAX);
    for (let round = 1; round <= rounds; round += 1) await soakOnce(run, sizes, minutes / rounds, rounds === 1 ? 'the round' : `round ${round}`);
    run.figure('rounds', rounds);
  },
};

/** A round has a history of its own, so that a long soak is not kept in memory. */
async function soakOnce(run: DrillRun, sizes: Sizes, minutes: number, name: string): Promise<void> {
  const round = new SubRun(run, name);
  try {
    await drillRound(round, sizes, minutes);
  } finally {
    run.violations(round.found);
    await round.close();
  }
  for (const [figure, value] of round.figures) run.figure(name === 'the round' ? figure : `${name}: ${figure}`, value);
}

async function drillRound(run: DrillRun, sizes: Sizes, minutes: number): Promise<void> {
  const clocks = await Clocks.make(run, { 'api-1': 0, 'worker-1': 0 });
  const env = { ...environmentOf(sizes.load), ACCESS_TOKEN_TTL_MS: String(ACCESS_TOKEN_TTL_MS) };
  const sparedNames = sparedOf(sizes);
  const nodeEnv = (name: string): Record<string, string> => ({ ...clocks.env(name), ...(sparedNames.includes(name) && keptMemoryEnv()) });
  const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env, nodeEnv }));
  const load = await run.part('people', () => MixedLoad.open(run, world, sizes.load));
  const spared = world.nodes.filter(({ name }) => sparedNames.includes(name));
  const residence = new Residence(run, spared);
  const unharmed = expectSameProcesses(run, { ...world, nodes: spared });
  const cutOff: ((operation: Operation) => boolean)[] = [];
  const place: Place = { run, world, spared, clocks, random: run.random.fork('faults'), lastsMaxMs: sizes.faultMaxMs };
  await run.part(`${minutes} minutes`, () => load.during(() => breakThings(place, load, sizes, minutes, residence, cutOff)));
  unharmed();
  residence.judge();
  await load.judge((operation) => cutOff.some((was) => was(operation)));
  if (minutes >= GROWTH_IS_JUDGED_AFTER_MINUTES) residence.requireTrend();
}

/** The last of each role, where others are left to be killed; their clocks are right, too. */
const sparedOf = ({ apis, workers }: Sizes): string[] => [...(apis > 1 ? [`api-${apis}`] : []), ...(workers > 1 ? [`worker-${workers}`] : [])];

async function breakThings(place: Place, load: MixedLoad, sizes: Sizes, minutes: number, residence: Residence, cutOff: ((operation: Operation) => boolean)[]): Promise<void> {
  const { run, world, random } = place;
  const endsAt = performance.now() + minutes * 60_000;
  let faults = 0;
  let turn = random.shuffle(sizes.faults);
  await residence.sample(world.nodes);
  for (let next = performance.now(); next < endsAt; next += sizes.faultEveryMs) {
    if (turn.length === 0) turn = random.shuffle(sizes.faults);
    const fault = turn.pop()!;
    run.say(fault.name);
    const was = await fault.happen(place);
    if (was) cutOff.push(was);
    await load.prober.back(fault.name, performance.now());
    faults += 1;
    await delay(Math.max(0, next + sizes.faultEveryMs - performance.now()), undefined, { signal: run.signal });
    await residence.sample(world.nodes);
  }
  run.figure('faults', faults);
}
