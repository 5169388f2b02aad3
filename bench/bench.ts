import type { Comparison, Rounds } from './support/stats.js';
import type { BenchWorld, WorldOptions } from './support/world.js';

/** What a bench is, and what it is given. */

/** Quick: all benches in about three minutes, for everybody; full: more rounds, longer ones, larger numbers. */
export type Mode = 'quick' | 'full';

export interface Bench {
  name: string;
  /** One line. */
  asks: string;
  /** Benches of the same stage that follow each other use the same stores and servers: whoever comes later finds them warm. */
  stage?: string;
  run(run: BenchRun): Promise<void>;
}

/** Starts things, and ends them when their time is over. */
export interface Keeper {
  /** Private stores, and servers on request. */
  world(options?: WorldOptions): Promise<BenchWorld>;
  /** Called at the end, the last one first. */
  closing(close: () => Promise<unknown> | void): void;
}

/** A line of figures of the report; numbers are rounded for people when it is shown. */
export interface Table {
  title: string;
  columns: string[];
  rows: (string | number)[][];
  /** What has to be known to read it. */
  note?: string;
}

export interface Series {
  name: string;
  points: [x: number, y: number][];
}

/** A horizontal line to compare with: a figure that was published, a limit. */
export interface ReferenceLine {
  name: string;
  value: number;
}

export type Plot = { title: string; note?: string } & (
  | { kind: 'lines'; x: string; y: string; logarithmic?: 'x' | 'y' | 'both'; series: Series[]; references?: ReferenceLine[] }
  | { kind: 'bars'; unit: string; bars: { name: string; value: number; min?: number; max?: number }[]; references?: ReferenceLine[] }
);

/** Exactly one of `atLeast` and `atMost`. */
export interface Wanted {
  atLeast?: number;
  atMost?: number;
  /** What would be better still. */
  aim?: number;
}

/** A figure that the bench must show. */
export interface Gate extends Wanted {
  name: string;
  value: number;
  /** Of the values that `value` is the median of. */
  min?: number;
  max?: number;
  unit?: string;
  /** The side that is compared with was itself not steady; see `isNoisy`. */
  noisy?: boolean;
}

/** What it keeps is ended when the bench is over. */
export interface BenchRun extends Keeper {
  readonly mode: Mode;
  /** Of a full run: what takes minutes by its nature takes one. */
  readonly short: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  sized<T>(sizes: Record<Mode, T>): T;
  /** Progress, for people. */
  say(line: string): void;
  /** What the report has to say of how it was measured. */
  note(text: string): void;
  table(table: Table): void;
  plot(plot: Plot): void;
  gate(gate: Gate): void;
  /** A gate that is the median of paired ratios. */
  compare(name: string, rounds: Rounds, comparison: Comparison & { wanted: Wanted }): void;
  /** Something that is right or wrong and no figure: no errors, no seat sold twice. */
  expect(ok: boolean, what: string): void;
  /** Made by the first bench of a stage and ended after the last. */
  onStage<T>(make: (stage: Keeper) => Promise<T>): Promise<T>;
  /** A step by its name, with its time in the report. */
  part<T>(name: string, work: () => Promise<T>): Promise<T>;
}
