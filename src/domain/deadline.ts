import { AsyncLocalStorage } from 'node:async_hooks';

/** Work for somebody who waits only so long: what would begin after that need not begin at all. Known however deep in the call; no deadline holds for a job. */

interface Work {
  endsAt: number;
  /** What the edge knows it by; nobody else's business. */
  on: unknown;
}

/** One for both: each storage that is entered costs a request a map of its own. */
const storage = new AsyncLocalStorage<Work>();

export const workingOn = <T>(on: unknown, ms: number, work: () => T): T => storage.run({ endsAt: performance.now() + ms, on }, work);

export const workedOn = (): unknown => storage.getStore()?.on;

export const withDeadline = <T>(ms: number, work: () => T): T => workingOn(workedOn(), ms, work);

/** For work that others share: it does not end with the deadline of whoever began it. */
export const withoutDeadline = <T>(work: () => T): T => withDeadline(Infinity, work);

/** Infinity when nobody waits. */
export function remainingMs(): number {
  const endsAt = storage.getStore()?.endsAt ?? Infinity;
  return endsAt === Infinity ? Infinity : Math.max(0, endsAt - performance.now());
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

/** Nothing is known of what was asked: it may still happen. */
export class NoAnswer extends Error {}

/** The outcome, or an error after so long by the clock, for who was promised an answer however busy the process was. The work itself goes on. */
export const byDeadline = <T>(work: Promise<T>, ms: number): Promise<T> =>
  ms === Infinity
    ? work
    : orElse(work, ms, (tooLate) => {
        const timer = setTimeout(tooLate, ms);
        return () => clearTimeout(timer);
      });

/** The same by a wait of one's own; `after` answers how to stop it. */
export async function orElse<T>(work: Promise<T>, ms: number, after: (tooLate: () => void) => () => void): Promise<T> {
  let stop: (() => void) | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    stop = after(() => reject(new NoAnswer(`No answer within ${ms} ms`)));
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    stop?.();
  }
}
