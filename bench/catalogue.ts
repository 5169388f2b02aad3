import type { Bench } from './bench.js';
import { join } from './join.bench.js';
import { reads } from './reads.bench.js';

/** In the order in which they are run. */
export const catalogue: readonly Bench[] = [reads, join];
