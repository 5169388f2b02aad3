import type { Violation } from './support/model.js';
import type { History } from './support/history.js';
import type { Random } from './support/random.js';
import type { World, WorldOptions } from './support/world.js';

/** What a drill is, and what it is given. Chance comes from the seed alone, faults from outside of what is drilled. */

export type Scale = 'small' | 'full';

export interface Drill {
  name: string;
  /** One sentence: what is true when it passes. */
  proves: string;
  run(run: DrillRun): Promise<void>;
}

export interface DrillRun {
  readonly seed: number;
  readonly scale: Scale;
  /** How long to go on, for a drill that runs as long as it is asked. */
  readonly minutes?: number;
  /** The only source of chance. Give each buyer or fault its own: `random.fork('buyer 7')`. */
  readonly random: Random;
  readonly history: History;
  /** Aborted by Ctrl-C and at the end of the run: loops ask it, waits take it. */
  readonly signal: AbortSignal;
  /** The value for this scale. */
  sized<T>(sizes: Record<Scale, T>): T;
  /** Progress, with the elapsed time. */
  say(line: string): void;
  /** Goes to the report. `trials` is the number of independent chances to fail: 0 failures in n bound the rate below 3/n. */
  figure(name: string, value: number | string): void;
  /** A named phase, timed in the report. Answers what the work answers. */
  part<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** What must be so; what is not is collected, and the verdict is FAILED. */
  expect(ok: boolean, what: string): void;
  /** What a check found, with the operations that show it. None is fine. */
  violations(found: readonly Violation[]): void;
  /** Closed by the harness, whatever happens. */
  world(options?: WorldOptions): Promise<World>;
  /** Closed by the harness before the worlds, the latest first. */
  closing(close: () => Promise<void> | void): void;
}

/** What could not be found out: final reads that failed, stores that never settled. The verdict is UNKNOWN, which is red. */
export class CannotTell extends Error {
  override readonly name = 'CannotTell';
}
