import type { Bench, BenchRun } from './bench.js';
import { timeMixedFlow } from './flows/mixed.js';
import { frontrowSeller, naiveSeller } from './flows/sellers.js';
import { issueTokens } from './flows/tokens.js';
import { Load } from './support/load.js';

/** The load tests that systems of this kind publish: tokens for the line, and a visit with everything in it. */
export const flows: Bench = { name: 'flows', asks: 'How does it do in the two load tests that systems of its kind have published: token issuing, and the mixed flow of 50 to 300 users?', run: measure };

async function measure(run: BenchRun): Promise<void> {
  const world = await run.part('stores', () => run.world());
  const [frontrow, naive, load] = await run.part('servers', () => Promise.all([frontrowSeller(world), naiveSeller(world), Load.start(world.folder)]));
  run.closing(() => naive.arena.close());
  run.closing(() => load.close());
  await run.part('token issuing', () => issueTokens(run, world, load, frontrow));
  await run.part('mixed flow', () => timeMixedFlow(run, world, load, frontrow, naive));
}
