import type { Counters } from '../domain/counters.js';
import { within } from '../redis/within.js';

/** Whoever committed is not kept longer than this by a Redis that does not answer; the step itself may still succeed. */
const PATIENCE_MS = 1500;

/** What follows a commit cannot undo it: every step is tried, a failure is counted and logged, the caller is never failed. Answers whether all of it was done. */
export async function afterCommit(counters: Counters, steps: Record<string, () => Promise<unknown>>): Promise<boolean> {
  const done = await Promise.all(
    Object.entries(steps).map(async ([name, step]) => {
      try {
        await within(step(), PATIENCE_MS);
        return true;
      } catch (error) {
        counters.followUpFailed(name, error);
        return false;
      }
    }),
  );
  return !done.includes(false);
}
