import { ReplyError } from 'ioredis';
import { RequestError, serviceUnavailable } from '../domain/errors.js';
import { within } from './within.js';

/** Replies of a Redis that runs but cannot serve yet, or no longer. */
export const NOT_SERVING = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|MISCONF|OOM|NOREPLICAS)\b/;

/** Long enough for a busy Redis; short enough to be answered in time by who has met its silence before, at the limits and the session. */
const PATIENCE_MS = 2500;

/** A Redis that is away, or silent, is no fault of the request: answered at once with SERVICE_UNAVAILABLE. A Redis that says our command is wrong stays a fault. */
export async function orUnavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await within(work, PATIENCE_MS);
  } catch (error) {
    if (error instanceof RequestError) throw error;
    const wrongCommand = error instanceof ReplyError && !NOT_SERVING.test((error as Error).message);
    throw wrongCommand ? error : serviceUnavailable();
  }
}
