import { setTimeout as delay } from 'node:timers/promises';
import type { DrillRun } from '../drill.js';
import type { Clocks } from './clocks.js';
import type { Operation } from './history.js';
import type { FrontrowNode } from './processes.js';
import type { ProxyMode } from './proxy.js';
import type { Random } from './random.js';
import type { StoreServer } from './stores.js';
import type { World } from './world.js';

/** One fault of any kind, chosen by chance; over when the answer comes. */

export interface Place {
  run: DrillRun;
  world: World;
  /** These are never killed or restarted: whether a process grows is seen only while it lives. */
  spared: readonly FrontrowNode[];
  clocks: Clocks;
  random: Random;
  /** How long a fault lasts at most. */
  lastsMaxMs: number;
}

export interface Fault {
  name: string;
  /** The answer tells which calls the fault itself kept from being answered, if any. */
  happen(place: Place): Promise<((operation: Operation) => boolean) | void>;
}

const HOUR_MS = 3_600_000;
const ROUTES = ['front', 'toDatabase', 'toRedis'] as const;
const MODES: ProxyMode[] = [{ kind: 'blackHole' }, { kind: 'reset' }, { kind: 'dropReplies' }, { kind: 'delay', ms: 30 }];

const lasts = ({ random, run, lastsMaxMs }: Place): Promise<void> => delay(random.between(lastsMaxMs / 4, lastsMaxMs), undefined, { signal: run.signal });

const mortal = ({ spared }: Place, nodes: readonly FrontrowNode[]): FrontrowNode[] => nodes.filter((node) => !spared.includes(node));

async function restarted(place: Place, server: Pick<FrontrowNode | StoreServer, 'kill' | 'start'>): Promise<void> {
  await server.kill();
  await lasts({ ...place, lastsMaxMs: Math.min(place.lastsMaxMs, 2000) });
  await server.start();
}

async function frozen(place: Place, store: StoreServer): Promise<void> {
  store.pause();
  await lasts(place).finally(() => store.resume());
}

async function cutOff({ run, world, random, ...place }: Place): Promise<((operation: Operation) => boolean) | void> {
  const [node, route, mode] = [random.pick(world.nodes), random.pick(ROUTES), random.pick(MODES)];
  const from = run.history.now();
  run.say(`${node.name}, ${route}: ${mode.kind}`);
  node[route].mode(mode);
  await lasts({ run, world, random, ...place }).finally(() => node[route].mode({ kind: 'pass' }));
  const until = run.history.now();
  if (route === 'front') return (operation) => operation.node === node.name && operation.invokedAt <= until && (operation.endedAt ?? Infinity) >= from;
}

export const FAULTS: readonly Fault[] = [
  { name: 'kill -9 of an API process', happen: (place) => restarted(place, place.random.pick(mortal(place, place.world.apis))) },
  { name: 'kill -9 of a worker', happen: (place) => restarted(place, place.random.pick(mortal(place, place.world.workers))) },
  {
    name: 'rolling restart',
    happen: async (place) => {
      for (const node of mortal(place, place.world.nodes)) {
        await node.stop();
        await node.start();
      }
    },
  },
  { name: 'kill -9 of the database', happen: (place) => restarted(place, place.world.database) },
  { name: 'the database is frozen', happen: (place) => frozen(place, place.world.database) },
  { name: 'kill -9 of Redis', happen: (place) => restarted(place, place.world.redis) },
  { name: 'Redis is frozen', happen: (place) => frozen(place, place.world.redis) },
  { name: 'FLUSHALL', happen: ({ world }) => world.redis.flushAll() },
  { name: 'one process is cut off', happen: cutOff },
  {
    name: 'a clock jumps by an hour',
    happen: async (place) => {
      const { clocks, random } = place;
      const name = random.pick(clocks.names);
      clocks.set(name, random.pick([HOUR_MS, -HOUR_MS]));
      await lasts(place).finally(() => clocks.set(name, 0));
    },
  },
];
