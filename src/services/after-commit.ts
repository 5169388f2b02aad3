import type { Counters } from '../domain/counters.js';

/** What follows a commit cannot undo it: every step is tried, a failure is counted, the caller is never failed. */
export async function afterCommit(counters: Counters, steps: Record<string, () => Promise<unknown>>): Promise<void> {
  await Promise.all(
    Object.entries(steps).map(async ([name, step]) => {
      try {
        await step();
      } catch {
        counters.followUpFailed(name);
      }
    }),
  );
}
