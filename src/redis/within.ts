import { afterTurns, orElse } from '../domain/deadline.js';

/** A Redis that takes commands and does not answer counts as away after this long; only for what may be asked, or said, twice. */
export const REDIS_PATIENCE_MS = 500;

/** The reply, or an error after REDIS_PATIENCE_MS. The command itself may still be carried out later. */
export const within = <T>(reply: Promise<T>, patienceMs = REDIS_PATIENCE_MS): Promise<T> => orElse(reply, patienceMs, (tooLate) => afterTurns(patienceMs, tooLate));
