import type { History, Operation } from './history.js';
import type { FinalState } from './final-state.js';

/** What a check found, in words, with the operations that show it. */
export interface Violation {
  /** Such as `double-sale`. */
  kind: string;
  what: string;
  operations: readonly Operation[];
}

export interface SaleRules {
  seatsPerUserMax: number;
}

/** Judges what clients saw against what is there in the end. */
export function checkSale(_history: History, _final: FinalState, _rules: SaleRules): Violation[] {
  return [];
}
