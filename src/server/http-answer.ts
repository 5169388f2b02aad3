import type { ExecutionResult } from 'graphql';
import type { Logger } from 'pino';
import type { App } from '../app.js';
import { serviceUnavailable } from '../domain/errors.js';
import { takesOnlyJson } from './accepted-types.js';
import type { ErrorEdge } from './errors.js';
import { JSON_TYPE, type HeaderList } from './headers.js';
import { GIVEN_UP_AFTER_MS } from './limits.js';
import { Patience } from './patience.js';
import { retryAfterOf, statusOfRefused } from './request-context.js';
import { inScope, leftOf, type RequestScope } from './request-scope.js';

/** The answer to one operation, before what every answer carries. */
export interface HttpAnswer {
  status: number;
  headers: HeaderList;
  body: string | Buffer;
}

const patience = new Patience(GIVEN_UP_AFTER_MS);

/** Runs an operation in its scope, and answers by its deadline whatever becomes of it: what runs goes on and ends by itself. Calls back once. */
export function inTime(app: App, scope: RequestScope, work: () => Promise<HttpAnswer>, answered: (answer: HttpAnswer) => void, failed: (error: unknown) => void): void {
  let isOpen = true;
  const tooLate = (): void => {
    isOpen = false;
    app.logger.warn({ requestId: scope.requestId, operation: scope.operation }, 'answered before its end, which did not come in time');
    answered(noAnswerYet(scope));
  };
  const waiter = patience.start(tooLate, scope.givenUpAt - GIVEN_UP_AFTER_MS);
  const end = (): boolean => {
    if (isOpen) patience.end(waiter);
    return isOpen;
  };
  inScope(scope, work, leftOf(scope)).then(
    (answer) => end() && answered(answer),
    (error: unknown) => end() && failed(error),
  );
}

/** Whether it happened is known to nobody yet. */
function noAnswerYet(scope: RequestScope): HttpAnswer {
  const { code, extensions } = serviceUnavailable();
  scope.code = code;
  const message = 'There is no answer yet: it may or may not have happened. Repeating the same call is safe.';
  const body = JSON.stringify({ errors: [{ message, extensions: { code, ...extensions } }] });
  return { status: 503, headers: ['content-type', JSON_TYPE, 'retry-after', String(extensions.retryAfterSeconds)], body };
}

/** What a result looks like on the wire; without data it was refused before it ran. */
export function resultAnswer(edge: ErrorEdge, { data, errors }: ExecutionResult, accept: string | undefined, type: string): HttpAnswer {
  const status = data !== undefined || takesOnlyJson(accept) ? 200 : 400;
  const body = errors ? JSON.stringify({ errors: edge.allToClient(errors), data }) : JSON.stringify({ data });
  return { status, headers: ['content-type', type], body };
}

/** What a request is told that its guards did not let in. */
export function refusedAnswer(edge: ErrorEdge, refused: unknown, type: string): HttpAnswer {
  const seconds = retryAfterOf(refused);
  const headers = ['content-type', type];
  if (seconds !== undefined) headers.push('retry-after', String(seconds));
  return { status: statusOfRefused(refused), headers, body: JSON.stringify({ errors: [edge.toClient(refused)] }) };
}

export interface AnsweredRequest {
  requestId: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  /** True when it was answered ahead of Apollo. */
  ahead: boolean;
}

export function logAnswered(logger: Logger, request: AnsweredRequest): void {
  logger.debug(request, 'answered');
}
