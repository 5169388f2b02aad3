import { afterTurns } from '../domain/deadline.js';

/** A Redis that takes commands and does not answer counts as away after this long; only for what may be asked, or said, twice. */
export const REDIS_PATIENCE_MS = 500;

/** Nothing is known of what was asked: it may still happen. */
export class NoAnswer extends Error {}

/** The reply, or an error after REDIS_PATIENCE_MS. The command itself may still be carried out later. */
export const within = <T>(reply: Promise<T>, patienceMs = REDIS_PATIENCE_MS): Promise<T> => orElse(reply, patienceMs, (tooLate) => afterTurns(patienceMs, tooLate));

/** The same by the clock, for who was promised an answer: however busy the process was. */
export const byDeadline = <T>(work: Promise<T>, ms: number): Promise<T> =>
  orElse(work, ms, (tooLate) => {
    const timer = setTimeout(tooLate, ms);
    return () => clearTimeout(timer);
  });

async function orElse<T>(work: Promise<T>, ms: number, after: (tooLate: () => void) => () => void): Promise<T> {
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
