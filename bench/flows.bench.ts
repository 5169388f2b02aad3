import type { Bench, BenchRun } from './bench.js';
import { MARKET, openMarket } from './flows/market.js';
import { timeMixedFlow } from './flows/mixed.js';
import { issueTokens } from './flows/tokens.js';

/** The load tests that systems of this kind publish: tokens for the line, and a visit with everything in it. */
export const flows: Bench = { name: 'flows', asks: 'How does it do in the two load tests that systems of its kind have published: token issuing, and the mixed flow of 50 to 300 users?', stage: MARKET, run: measure };

async function measure(run: BenchRun): Promise<void> {
  const market = await openMarket(run);
  await run.part('token issuing', () => issueTokens(run, market));
  await run.part('mixed flow', () => timeMixedFlow(run, market));
  market.isWarm = true;
}
