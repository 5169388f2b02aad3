import { setTimeout as delay } from 'node:timers/promises';
import type { Drill, DrillRun } from './drill.js';
import type { Operation } from './support/history.js';
import { environmentOf, MixedLoad } from './support/load.js';
import { expectSameProcesses, expectSoon, expectUnreadyFor } from './support/outage.js';
import type { FrontrowNode } from './support/processes.js';
import type { Proxy, ProxyMode } from './support/proxy.js';
import type { World } from './support/world.js';

const SIZES = {
  full: { apis: 3, workers: 2, load: { buyers: 200, seats: 300, atOnce: 25, inLine: 80, holdTtlMs: 4000, lookEveryMs: 1000 }, faultMs: 8000, allFaults: true },
  small: { apis: 2, workers: 1, load: { buyers: 24, seats: 60, atOnce: 6, inLine: 10, holdTtlMs: 1000, lookEveryMs: 200 }, faultMs: 500, allFaults: false },
};
type Sizes = (typeof SIZES)[DrillRun['scale']];

const ROUTES = ['front', 'toDatabase', 'toRedis'] as const;
type Route = (typeof ROUTES)[number];
/** Each statement takes the way to a store, and many take it after one another. */
const DELAY_MS: Record<Route, number> = { front: 300, toDatabase: 30, toRedis: 30 };
const MODES: ProxyMode['kind'][] = ['blackHole', 'reset', 'dropReplies', 'delay'];
/** A health check asks a silent store for up to 2 s, behind the same questions of others. */
const UNREADY_WITHIN_MS = 15_000;
const CHANGES = ['reserve', 'charge', 'pay'];

interface Fault {
  node: FrontrowNode;
  route: Route;
  mode: ProxyMode;
}

interface Stage {
  run: DrillRun;
  world: World;
  load: MixedLoad;
  sizes: Sizes;
}

export const network: Drill = {
  name: 'network',
  proves:
    'one process that is cut off, from its clients, from the database alone or from Redis alone, costs no acknowledged result and keeps nobody waiting for more than 5 s, the others go on, unknown outcomes have one right answer, and it is back within 10 s',
  run: async (run) => {
    const sizes = run.sized<Sizes>(SIZES);
    const world = await run.part('start', () => run.world({ apis: sizes.apis, workers: sizes.workers, env: environmentOf(sizes.load) }));
    const load = await run.part('people', () => MixedLoad.open(run, world, sizes.load));
    const stage: Stage = { run, world, load, sizes };
    const unharmed = expectSameProcesses(run, world);
    const faults = faultsOf(stage);
    const cutOff: ((operation: Operation) => boolean)[] = [];
    await load.during(async () => {
      for (const fault of faults) await run.part(nameOf(fault), async () => void cutOff.push(await suffer(stage, fault)));
    });
    run.figure('faults', faults.length);
    unharmed();
    await load.judge((operation) => cutOff.some((was) => was(operation)));
  },
};

const nameOf = ({ node, route, mode }: Fault): string => `${node.name}, ${{ front: 'from its clients', toDatabase: 'to the database', toRedis: 'to Redis' }[route]}: ${mode.kind}`;

/** Each fault of each way of one API process, and a worker without one of its stores. Small: one API process and one worker, each without one store. */
function faultsOf({ run, world, sizes }: Stage): Fault[] {
  const random = run.random.fork('faults');
  const all = ROUTES.flatMap((route) => MODES.map((kind): Fault => ({ node: random.pick(world.apis), route, mode: kind === 'delay' ? { kind, ms: DELAY_MS[route] } : { kind } })));
  const ofWorkers = (['toDatabase', 'toRedis'] as const).map((route): Fault => ({ node: random.pick(world.workers), route, mode: { kind: 'blackHole' } }));
  if (sizes.allFaults) return random.shuffle([...all, ...ofWorkers]);
  const one = (route: Route): Fault => random.pick(all.filter((fault) => fault.route === route && fault.mode.kind !== 'delay'));
  return [one('front'), one('toDatabase'), one('toRedis')];
}

/** The answer tells which calls the fault itself kept from being answered. */
async function suffer({ run, world, load, sizes }: Stage, { node, route, mode }: Fault): Promise<(operation: Operation) => boolean> {
  const proxy: Proxy = node[route];
  const others = world.apis.filter((api) => api !== node).map(({ name }) => name);
  const from = run.history.now();
  const isServed = ({ name, node: served, outcome, invokedAt }: Operation): boolean => outcome === 'ok' && CHANGES.includes(name) && others.includes(served) && invokedAt > from;
  proxy.mode(mode);
  try {
    const isSilenced = route !== 'front' && mode.kind !== 'delay';
    await Promise.all([
      delay(sizes.faultMs, undefined, { signal: run.signal }),
      expectSoon(run, `the others go on while ${node.name} is cut off`, () => run.history.operations.some(isServed)),
      isSilenced && expectUnreadyFor(run, [node], route === 'toDatabase' ? 'database' : 'redis', UNREADY_WITHIN_MS),
    ]);
  } finally {
    proxy.mode({ kind: 'pass' });
  }
  const until = run.history.now();
  await load.prober.back(`the end of ${nameOf({ node, route, mode })}`, performance.now());
  return (operation) => route === 'front' && operation.node === node.name && operation.invokedAt <= until && (operation.endedAt ?? Infinity) >= from;
}
