import { AsyncLocalStorage } from 'node:async_hooks';

/** Work for somebody who waits only so long: what would begin after that need not begin at all. Known however deep in the call; no deadline holds for a job. */

const storage = new AsyncLocalStorage<number>();

export const withDeadline = <T>(ms: number, work: () => T): T => storage.run(performance.now() + ms, work);

/** For work that others share: it does not end with the deadline of whoever began it. */
export const withoutDeadline = <T>(work: () => T): T => storage.run(Infinity, work);

/** Infinity when nobody waits. */
export function remainingMs(): number {
  const deadline = storage.getStore();
  return deadline === undefined ? Infinity : Math.max(0, deadline - performance.now());
}

/** Waits for what others share for as long as the caller has; the work itself goes on. */
export async function untilDeadline<T>(work: Promise<T>, tooLate: () => Error): Promise<T> {
  const ms = remainingMs();
  if (ms === Infinity) return work;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), ms);
  });
  return Promise.race([work, over]).finally(() => clearTimeout(timer));
}

const TURNS = 10;

/**
 * Patience with a store, counted in turns of the process: one that had no time for what has come meanwhile reads it first. Answers how to stop waiting.
 */
export function afterTurns(ms: number, then: () => void): () => void {
  let turnsLeft = TURNS;
  let timer: NodeJS.Timeout;
  const turn = (): void => {
    timer = setTimeout(() => {
      turnsLeft -= 1;
      if (turnsLeft > 0) turn();
      else then();
    }, ms / TURNS);
  };
  turn();
  return () => clearTimeout(timer);
}
