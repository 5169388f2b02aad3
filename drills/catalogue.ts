import type { Drill } from './drill.js';
import { oversell } from './oversell.drill.js';

/** All drills, in the order in which `all` runs them. */
export const catalogue: readonly Drill[] = [oversell];

/** Runs as long as it is asked, so it is no part of `all`. */
export const APART = ['soak'];
