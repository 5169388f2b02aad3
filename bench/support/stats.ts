/** Medians, paired ratios and what noise does to them. Pure. */

/** What was measured of one side in one round, by the name of the figure. */
export type Sample = Readonly<Record<string, number>>;
/** Of each side, by its name, one sample for each round. */
export type Rounds = ReadonlyMap<string, readonly Sample[]>;

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface Ratio extends Spread {
  /** Largest by smallest of the side that is compared with: 1 is perfectly steady. */
  limitSpread: number;
}

export interface Comparison {
  of: string;
  /** The limit: what the side is compared with, in the same round. */
  to: string;
  metric: string;
  /** `lower`: of costs and times; a ratio above 1 says that the side is better, whichever it is. */
  better: 'lower' | 'higher';
}

/** A limit that moved by more than this between rounds of one run has measured the machine, not the program. */
export const NOISY_SPREAD = 1.5;

export function medianOf(values: readonly number[]): number {
  if (values.length === 0) throw new Error('There is no median of nothing.');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export const spreadOf = (values: readonly number[]): Spread => ({ median: medianOf(values), min: Math.min(...values), max: Math.max(...values) });

/** As a plot has it. */
export const barOf = ({ median, min, max }: Spread): { value: number; min: number; max: number } => ({ value: median, min, max });

/** `quantile` from 0 to 1, by nearest rank. */
export function quantileOf(values: readonly number[], quantile: number): number {
  if (values.length === 0) throw new Error('There is no quantile of nothing.');
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)]!;
}

export function metricOf(rounds: Rounds, side: string, metric: string): number[] {
  const samples = rounds.get(side);
  if (!samples) throw new Error(`Nothing was measured of ${side}.`);
  return samples.map((sample) => {
    const value = sample[metric];
    if (value === undefined || !Number.isFinite(value)) throw new Error(`${metric} of ${side} was not measured.`);
    return value;
  });
}

/** Of each round the side by the limit, both measured within that round: what slows the machine for a while slows both. */
export function pairedRatio(rounds: Rounds, { of, to, metric, better }: Comparison): Ratio {
  const [side, limit] = [metricOf(rounds, of, metric), metricOf(rounds, to, metric)];
  if (side.length !== limit.length) throw new Error(`${of} and ${to} were not measured in the same rounds.`);
  // A cost of nothing is one that was too small for the clock, and would win every comparison.
  if ([...side, ...limit].some((value) => value <= 0)) throw new Error(`${metric} of ${of} or ${to} was too small to be measured.`);
  const ratios = side.map((value, round) => (better === 'lower' ? limit[round]! / value : value / limit[round]!));
  return { ...spreadOf(ratios), limitSpread: Math.max(...limit) / Math.min(...limit) };
}

export const isNoisy = ({ limitSpread }: Pick<Ratio, 'limitSpread'>): boolean => limitSpread > NOISY_SPREAD;
