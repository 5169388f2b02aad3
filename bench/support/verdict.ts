import type { Gate } from '../bench.js';

/** Whether a figure shows what it must. */
export type Verdict = 'met' | 'short' | 'inconclusive';

const holds = ({ atLeast, atMost }: Gate, value: number): boolean => (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);

/** The median decides. Where the limit was not steady it decides nothing, unless every single round says the same. */
export function verdictOf(gate: Gate): Verdict {
  if ((gate.atLeast === undefined) === (gate.atMost === undefined)) throw new Error(`${gate.name} must be at least or at most something.`);
  const met = holds(gate, gate.value);
  const everyRound = [gate.min ?? gate.value, gate.max ?? gate.value];
  if (gate.noisy && everyRound.some((value) => holds(gate, value) !== met)) return 'inconclusive';
  return met ? 'met' : 'short';
}

/** A run is as good as its worst gate; what could not be told is better than what was told to be short. */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  return (['short', 'inconclusive'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'met';
}
