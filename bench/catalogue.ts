import type { Bench } from './bench.js';
import { data } from './data.bench.js';
import { flows } from './flows.bench.js';
import { growth } from './growth.bench.js';
import { hotSeat } from './hot-seat.bench.js';
import { join } from './join.bench.js';
import { reads } from './reads.bench.js';
import { sockets } from './sockets.bench.js';
import { strategies } from './strategies.bench.js';
import { wholeFlow } from './whole-flow.bench.js';
import { writes } from './writes.bench.js';

/** In the order in which they are run. */
export const catalogue: readonly Bench[] = [
  reads,
  writes,
  join,
  hotSeat,
  sockets,
  flows,
  wholeFlow,
  data,
  strategies,
  growth,
];
