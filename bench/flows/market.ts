import type { BenchRun, Keeper } from '../bench.js';
import { Load } from '../support/load.js';
import type { BenchWorld } from '../support/world.js';
import { frontrowSeller, naiveSeller, rawSeller, type Seller } from './sellers.js';

/** All who sell, over the same stores: the stage of `flows` and `whole-flow`. */
export interface Market {
  world: BenchWorld;
  load: Load;
  frontrow: Seller;
  naive: Seller;
  raw: Seller;
  /** Frontrow and the entities have sold before. */
  isWarm: boolean;
}

export const MARKET = 'market';

/** What a full mixed flow writes is several times as large as what MariaDB keeps in memory as it is started here; no side is measured by its disk. */
const FLAGS = ['--innodb-buffer-pool-size=2G'];

export const openMarket = (run: BenchRun): Promise<Market> =>
  run.onStage(async (stage: Keeper) => {
    const world = await run.part('stores', () => stage.world({ env: { QUEUE_TICK_MS: '100' }, database: { flags: FLAGS } }));
    const [frontrow, raw, naive, load] = await run.part('servers', () => Promise.all([frontrowSeller(world), rawSeller(world), naiveSeller(world), Load.start(world)]));
    for (const { arena } of [frontrow, raw, naive]) stage.closing(() => arena.close());
    return { world, load, frontrow, raw, naive, isWarm: false };
  });
