import type { Operation } from './history.js';

/**
 * Calls that could have gone wrong: those that the sale itself decided. What nobody answered, what the queue turned back and what was not even judged
 * (errors, whose codes are in capitals; the sale's own refusals are named as their types are) is no chance to fail.
 */
export const decidedOf = (operations: readonly Operation[], names: readonly string[]): number =>
  operations.filter(({ name, outcome, code = '' }) => names.includes(name) && (outcome === 'ok' || (outcome === 'fail' && /^[A-Z][a-z]/.test(code)))).length;
