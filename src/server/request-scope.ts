import { workedOn, workingOn } from '../domain/deadline.js';
import { GIVEN_UP_AFTER_MS } from './limits.js';

/** What belongs to one operation from its arrival to its answer, however deep in the call. */
export interface RequestScope {
  requestId: string;
  /** When it is given up, by performance.now(). */
  givenUpAt: number;
  /** For metrics: never text of the client. */
  operation: { type: string; field: string };
  /** Code of the first error that was answered. */
  code: string;
  /** Faults already logged: one broken loader fails a hundred fields with one and the same error. */
  faults: Set<unknown> | null;
}

export const currentScope = (): RequestScope | undefined => workedOn() as RequestScope | undefined;

const NOT_READ = { type: 'invalid', field: 'invalid' };

/** `since` is when it came: what it stood in a line before it began counts. */
export const newScope = (requestId: string, operation: RequestScope['operation'] = NOT_READ, since = performance.now()): RequestScope => ({
  requestId,
  givenUpAt: since + GIVEN_UP_AFTER_MS,
  operation,
  code: 'OK',
  faults: null,
});

/** How long the one who asked still waits for the answer, or for the start of what goes on. */
export const leftOf = (scope: RequestScope): number => Math.max(0, scope.givenUpAt - performance.now());

/** What of it would begin after so long need not begin at all. */
export const inScope = <T>(scope: RequestScope, work: () => T, ms = Infinity): T => workingOn(scope, ms, work);
