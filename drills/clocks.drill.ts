import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, DrillRun } from './drill.js';
import { watchBeats } from './support/beats.js';
import { DrillClient } from './support/client.js';
import { Clocks } from './support/clocks.js';
import { environmentOf, MixedLoad } from './support/load.js';
import { expectSameProcesses } from './support/outage.js';
import { goThroughRooms, type Rooms } from './support/rooms.js';
import { negativeControl } from './support/sub-run.js';
import { expectEndsInTime, takeOver } from './support/takeover.js';
import { expectTokensEndByClock } from './support/token-ends.js';
import type { World } from './support/world.js';

const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;

const SIZES = {
  full: {
    offsets: { 'api-1': 0, 'api-2': FIVE_MINUTES_MS, 'api-3': -FIVE_MINUTES_MS, 'api-4': 0, 'worker-1': FIVE_MINUTES_MS, 'worker-2': -FIVE_MINUTES_MS, 'worker-3': 0 },
    jumping: ['api-4', 'worker-3'], jumpsMs: [HOUR_MS, 0, -HOUR_MS, 0, HOUR_MS, -HOUR_MS, 0], dwellMs: 4000, loneMs: 12_000,
    load: { buyers: 100, seats: 150, atOnce: 10, inLine: 30, holdTtlMs: 2000, lookEveryMs: 500 },
    lanes: 8, rounds: 20, rooms: { people: 40, passTtlMs: 4000, lookEveryMs: 250 },
  },
  small: {
    offsets: { 'api-1': FIVE_MINUTES_MS, 'api-2': -FIVE_MINUTES_MS, 'worker-1': 0, 'worker-2': -FIVE_MINUTES_MS },
    jumping: ['worker-1'], jumpsMs: [HOUR_MS, 0], dwellMs: 400, loneMs: 0,
    load: { buyers: 8, seats: 30, atOnce: 2, inLine: 5, holdTtlMs: 1000, lookEveryMs: 200 },
    lanes: 2, rounds: 2, rooms: { people: 8, passTtlMs: 1500, lookEveryMs: 150 },
  },
};
interface Sizes {
  offsets: Readonly<Record<string, number>>;
  jumping: readonly string[];
  jumpsMs: readonly number[];
  dwellMs: number;
  /** For so long the only worker that runs is one whose clock is behind; 0: never. */
  loneMs: number;
  load: (typeof SIZES)['full']['load'];
  lanes: number;
  rounds: number;
  rooms: Rooms;
}

/** By the sweeper at the latest. */
const ENDS_WITHIN_MS = 10_000;

const APPLICATION_CLOCK = {
  name: 'the clock of the process deciding whether a hold is over',
  edits: [
    { file: 'database/clock.ts', find: 'return instantOf(row!.now);', replace: 'void row;\n  return new Date();' },
    { file: 'database/repositories/sale.repository.ts', find: 'return last ? instantOf(last.now) : null;', replace: 'return last ? new Date() : null;' },
  ],
  kinds: ['freed-early'],
};

export const clocks: Drill = {
  name: 'clocks',
  proves:
    'processes that are five minutes ahead or behind, or jump by an hour, sell as all others: places, passes and holds begin and end in their order and time, no job stays away, money is right; only signed tokens end early or late',
  run: async (run) => {
    const sizes = run.sized<Sizes>(SIZES);
    await drillClocks(run, sizes);
    if (run.scale === 'full') await controlClocks(run);
  },
};

/** What the drill finds where the process's clock decides. */
export const controlClocks = (run: DrillRun): Promise<void> =>
  negativeControl(run, APPLICATION_CLOCK, async (control) => {
    const { offsets, load } = SIZES.small;
    const own = await Clocks.make(control, offsets);
    const world = await control.world({ apis: 2, workers: 1, env: environmentOf(load), nodeEnv: own.env });
    await takeOver(control, world, openClient(control, world), { lanes: 2, rounds: 1, holdTtlMs: load.holdTtlMs });
    await expectEndsInTime(control, world, ENDS_WITHIN_MS);
  });

function openClient(run: DrillRun, world: World): DrillClient {
  const client = new DrillClient({ history: run.history, targets: world.apis, random: run.random.fork('clocks'), signal: run.signal });
  run.closing(() => client.close());
  return client;
}

async function drillClocks(run: DrillRun, sizes: Sizes): Promise<void> {
  const { offsets, load: people, rooms } = sizes;
  const own = await Clocks.make(run, offsets);
  const names = Object.keys(offsets);
  const ofRole = (role: string): number => names.filter((name) => name.startsWith(role)).length;
  const env = { ...environmentOf(people), QUEUE_PASS_TTL_MS: String(rooms.passTtlMs) };
  const world = await run.part('start', () => run.world({ apis: ofRole('api'), workers: ofRole('worker'), env, nodeEnv: own.env }));
  const client = openClient(run, world);
  const inStep = new Map(world.apis.map(({ name }) => [name, offsets[name]!]));
  await run.part('tokens', () => expectTokensEndByClock(run, world, client, inStep));
  const load = await run.part('people', () => MixedLoad.open(run, world, people));
  const unharmed = expectSameProcesses(run, world);
  const beats = watchBeats(run, world, load.line.concertId);
  await run.part('wrong clocks', () =>
    load.during(async () => {
      await Promise.all([
        takeOver(run, world, client, { lanes: sizes.lanes, rounds: sizes.rounds, holdTtlMs: people.holdTtlMs }),
        goThroughRooms(run, world, client, rooms),
        jump(run, own, load, sizes),
      ]);
      unharmed();
      if (sizes.loneMs > 0) await onlyTheSlow(run, world, load, sizes);
    }),
  );
  await beats();
  await load.judge();
  await expectEndsInTime(run, world, ENDS_WITHIN_MS);
}

async function jump(run: DrillRun, own: Clocks, load: MixedLoad, { jumping, jumpsMs, dwellMs }: Sizes): Promise<void> {
  for (const offsetMs of jumpsMs) {
    for (const name of jumping) own.set(name, offsetMs);
    run.say(`${jumping.join(' and ')} jump to ${offsetMs / 60_000} minutes`);
    await delay(dwellMs, undefined, { signal: run.signal });
    await load.prober.back(`the jump to ${offsetMs / 60_000} minutes`, performance.now());
  }
  run.figure('jumps of a clock', jumpsMs.length * jumping.length);
}

/** The others have set the next turns of all jobs by their clocks, and die. */
async function onlyTheSlow(run: DrillRun, { workers }: World, load: MixedLoad, { offsets, loneMs }: Sizes): Promise<void> {
  const others = workers.filter(({ name }) => offsets[name]! >= 0);
  run.say(`only ${workers.filter((worker) => !others.includes(worker)).map(({ name }) => name).join(', ')} works for ${loneMs / 1000} s`);
  await Promise.all(others.map((worker) => worker.kill()));
  await delay(loneMs, undefined, { signal: run.signal });
  await Promise.all(others.map((worker) => worker.start()));
  await load.prober.back('the return of the other workers', performance.now());
}
