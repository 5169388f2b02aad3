import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, DrillRun } from './drill.js';
import { environmentOf, MixedLoad } from './support/load.js';
import { expectSameProcesses, expectUnreadyFor, whilePaused } from './support/outage.js';
import type { World } from './support/world.js';

const SIZES = {
  full: { apis: 3, workers: 2, load: { buyers: 200, seats: 300, atOnce: 30, inLine: 80, holdTtlMs: 4000, lookEveryMs: 1000 }, kills: 10, pauseMs: 20_000, upMaxMs: 3000, downMaxMs: 2000 },
  small: { apis: 2, workers: 1, load: { buyers: 30, seats: 60, atOnce: 8, inLine: 10, holdTtlMs: 1000, lookEveryMs: 200 }, kills: 2, pauseMs: 1000, upMaxMs: 400, downMaxMs: 200 },
};
type Sizes = (typeof SIZES)[DrillRun['scale']];

export const database: Drill = {
  name: 'database',
  proves: 'a database that is killed or frozen loses no acknowledged result, keeps nobody waiting for more than 5 s, and everything works again within 10 s of its return',
  run: async (run) => {
    const sizes = run.sized(SIZES);
    const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: environmentOf(sizes.load) }));
    const load = await run.part('people', () => MixedLoad.open(run, world, sizes.load));
    const unharmed = expectSameProcesses(run, world);
    await load.during(async () => {
      await run.part(`kill -9 of the database, ${sizes.kills} times`, () => kills(run, world, load, sizes));
      await run.part(`the database is frozen for ${sizes.pauseMs / 1000} s`, () => pause(run, world, load, sizes));
    });
    unharmed();
    await load.judge();
  },
};

async function kills(run: DrillRun, world: World, load: MixedLoad, { kills, upMaxMs, downMaxMs }: Sizes): Promise<void> {
  const random = run.random.fork('kills');
  for (let kill = 1; kill <= kills; kill += 1) {
    await delay(random.between(upMaxMs / 4, upMaxMs), undefined, { signal: run.signal });
    await world.database.kill();
    await delay(random.below(downMaxMs), undefined, { signal: run.signal });
    await world.database.start();
    await load.prober.back(`kill ${kill} of the database`, performance.now());
  }
  run.figure('kills', kills);
}

async function pause(run: DrillRun, world: World, load: MixedLoad, { pauseMs }: Sizes): Promise<void> {
  await whilePaused(run, world.database, pauseMs, async () => {
    await expectUnreadyFor(run, world.nodes, 'database', pauseMs);
    await load.prober.catalogueIsShown();
  });
  await load.prober.back('the database went on', performance.now());
}
