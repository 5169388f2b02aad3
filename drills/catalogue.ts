import { boundary } from './boundary.drill.js';
import { clocks } from './clocks.drill.js';
import { database } from './database.drill.js';
import type { Drill } from './drill.js';
import { failPoints } from './fail-points.drill.js';
import { idempotency } from './idempotency.drill.js';
import { jobs } from './jobs.drill.js';
import { network } from './network.drill.js';
import { isolation } from './isolation.drill.js';
import { oversell } from './oversell.drill.js';
import { queue } from './queue.drill.js';
import { redis } from './redis.drill.js';
import { rollingRestart } from './rolling-restart.drill.js';
import { soak } from './soak.drill.js';

/** All drills, in the order in which `all` runs them. */
export const catalogue: readonly Drill[] = [oversell, failPoints, boundary, idempotency, isolation, database, redis, network, clocks, jobs, queue, rollingRestart, soak];

/** Runs as long as it is asked, so it is no part of `all`. */
export const APART = ['soak'];
