import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, DrillRun } from './drill.js';
import { environmentOf, MixedLoad } from './support/load.js';
import { expectSameProcesses, expectUnreadyFor, whilePaused } from './support/outage.js';
import type { RedisStart } from './support/stores.js';
import type { World } from './support/world.js';

const SIZES = {
  full: {
    apis: 3, workers: 2, load: { buyers: 200, seats: 300, atOnce: 25, inLine: 80, holdTtlMs: 4000, lookEveryMs: 1000 },
    kills: 10, killsWithoutAof: 3, flushes: 3, pauseMs: 20_000, dumpAgeMs: 5000, upMaxMs: 3000, downMaxMs: 2000,
  },
  small: {
    apis: 2, workers: 1, load: { buyers: 24, seats: 60, atOnce: 6, inLine: 10, holdTtlMs: 1000, lookEveryMs: 200 },
    kills: 0, killsWithoutAof: 1, flushes: 0, pauseMs: 0, dumpAgeMs: 500, upMaxMs: 300, downMaxMs: 200,
  },
};
type Sizes = (typeof SIZES)[DrillRun['scale']];

interface Stage {
  run: DrillRun;
  world: World;
  load: MixedLoad;
  sizes: Sizes;
}

export const redis: Drill = {
  name: 'redis',
  proves:
    'a Redis that is killed with and without its file, wiped, frozen or older than the rows costs no money and no seat; holds end in time, the line keeps its order, nobody is admitted twice, and everything works again within 10 s',
  run: async (run) => {
    const sizes = run.sized(SIZES);
    const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: environmentOf(sizes.load) }));
    const load = await run.part('people', () => MixedLoad.open(run, world, sizes.load));
    const stage: Stage = { run, world, load, sizes };
    const unharmed = expectSameProcesses(run, world);
    await load.during(async () => {
      if (sizes.kills > 0) await run.part(`kill -9 of Redis, ${sizes.kills} times`, () => kills(stage, sizes.kills, 'kill', {}));
      // The first of them loses the file that there was.
      await run.part(`kill -9 of a Redis without a file, ${sizes.killsWithoutAof} times`, () => kills(stage, sizes.killsWithoutAof, 'kill without a file', { aof: false }));
      if (sizes.flushes > 0) await run.part(`FLUSHALL, ${sizes.flushes} times`, () => flushes(stage));
      await run.part(`Redis starts from a dump that is ${sizes.dumpAgeMs / 1000} s old`, () => oldDump(stage));
      if (sizes.pauseMs > 0) await run.part(`Redis is frozen for ${sizes.pauseMs / 1000} s`, () => pause(stage));
    });
    unharmed();
    await load.judge();
  },
};

async function kills({ run, world, load, sizes }: Stage, count: number, what: string, start: RedisStart): Promise<void> {
  const random = run.random.fork(what);
  for (let kill = 1; kill <= count; kill += 1) {
    await delay(random.between(sizes.upMaxMs / 4, sizes.upMaxMs), undefined, { signal: run.signal });
    await world.redis.kill();
    await delay(random.below(sizes.downMaxMs), undefined, { signal: run.signal });
    await world.redis.start(start);
    await load.prober.back(`${what} ${kill} of Redis`, performance.now());
  }
  run.figure(`${what}s`, count);
}

async function flushes({ run, world, load, sizes }: Stage): Promise<void> {
  const random = run.random.fork('flushes');
  for (let flush = 1; flush <= sizes.flushes; flush += 1) {
    await delay(random.between(sizes.upMaxMs / 4, sizes.upMaxMs), undefined, { signal: run.signal });
    await world.redis.flushAll();
    await load.prober.back(`FLUSHALL ${flush}`, performance.now());
  }
  run.figure('FLUSHALLs', sizes.flushes);
}

async function oldDump({ run, world, load, sizes }: Stage): Promise<void> {
  const dump = await world.redis.saveDump();
  await delay(sizes.dumpAgeMs, undefined, { signal: run.signal });
  await world.redis.kill();
  await world.redis.start({ dump, aof: true });
  await load.prober.back('the start from an old dump', performance.now());
}

/** What needs no Redis goes on without: a held reservation is paid. */
async function pause({ run, world, load, sizes }: Stage): Promise<void> {
  const holds = await load.prober.hold();
  await whilePaused(run, world.redis, sizes.pauseMs, async () => {
    const paid = await Promise.all(holds.map(({ buyer, reservationId }) => buyer.pay(reservationId)));
    for (const { outcome, operation } of paid) run.expect(outcome === 'ok', `a held reservation is paid while Redis is silent: ${outcome} ${operation.code ?? ''} from ${operation.node}`);
    await expectUnreadyFor(run, world.nodes, 'redis', sizes.pauseMs);
  });
  await load.prober.back('Redis went on', performance.now());
}
