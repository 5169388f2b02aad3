import type { BenchRun } from '../bench.js';
import type { Rounds, Sample } from './stats.js';

/** One of several that do the same work; measures itself once for each call. */
export interface Side {
  name: string;
  /** `round` counts from 0; the warm-up is -1 and is thrown away. */
  measure(round: number): Promise<Sample>;
  /** Takes part in so many of the first rounds only. */
  rounds?: number;
}

export const WARM_UP = -1;

/** All sides take turns in every round, in reverse order in every other one, so that neither a slow moment nor the turn before favours any of them. */
export async function interleave(run: BenchRun, name: string, sides: readonly Side[], rounds: number): Promise<Rounds> {
  const samples = new Map<string, Sample[]>(sides.map((side) => [side.name, []]));
  for (const side of sides) {
    run.signal.throwIfAborted();
    await side.measure(WARM_UP);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      run.signal.throwIfAborted();
      if (round < (side.rounds ?? rounds)) samples.get(side.name)!.push(await side.measure(round));
    }
    run.say(`${name}: round ${round + 1} of ${rounds}`);
  }
  return samples;
}
