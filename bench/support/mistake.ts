import type { Answer } from './http-connection.js';
import type { RequestsJob } from './load-jobs.js';

/** What is wrong with an answer; null if it is what was asked for. */
export function mistakeIn({ status, body }: Answer, { succeeds, expectBytes }: Pick<RequestsJob, 'succeeds' | 'expectBytes'>): string | null {
  const isRight = status === 200 && body.includes(succeeds) && !body.includes('"errors"') && (expectBytes === undefined || body.length === expectBytes);
  return isRight ? null : `${status} ${body.subarray(0, 300).toString()} (${body.length} bytes)`;
}
