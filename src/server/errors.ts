import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { RequestError, serviceUnavailable, type ErrorCode } from '../domain/errors.js';
import { fieldOf, isArgumentError, messageOf } from './input-errors.js';
import { ERRORS_MAX } from './limits.js';
import { currentScope, type RequestScope } from './request-scope.js';
import { isStoreAway } from './store-errors.js';

const PERSISTED_QUERY_NOT_FOUND = 'PERSISTED_QUERY_NOT_FOUND' satisfies ErrorCode;
const FAULT_MESSAGE = 'Something went wrong on our side.';

/**
 * Decides what an error looks like on the wire, for both transports. What a client may know is a RequestError or a mistake in the client's own
 * document or variables; everything else is logged here, once, and leaves as INTERNAL_SERVER_ERROR with nothing but the request id.
 */
export class ErrorEdge {
  constructor(
    private readonly logger: Logger,
    private readonly production: boolean,
  ) {}

  toClient(error: unknown): GraphQLFormattedError {
    const place = whereOf(error);
    const { code, message, ...extensions } = this.#verdict(error);
    const scope = currentScope();
    if (scope?.code === 'OK') scope.code = code;
    return { message, ...place, extensions: { code, ...extensions } };
  }

  allToClient(errors: readonly unknown[]): GraphQLFormattedError[] {
    return errors.slice(0, ERRORS_MAX).map((error) => this.toClient(error));
  }

  #verdict(error: unknown): Verdict {
    const cause = causeOf(error);
    if (cause instanceof RequestError) return { code: cause.code, message: cause.message, ...cause.extensions };
    if (isStoreAway(cause)) {
      this.#logOnce(cause, 'warn', 'a store did not answer');
      const away = serviceUnavailable();
      return { code: away.code, message: away.message, ...away.extensions };
    }
    // No mistake of the client's: it sends the document next.
    if (codeOf(cause) === PERSISTED_QUERY_NOT_FOUND && cause instanceof GraphQLError) return { code: PERSISTED_QUERY_NOT_FOUND, message: cause.message };
    if (cause instanceof GraphQLError && (cause.path === undefined || isArgumentError(cause))) {
      const field = fieldOf(cause);
      return { code: 'BAD_USER_INPUT', message: messageOf(cause, this.production), ...(field ? { field } : {}) };
    }
    this.#logOnce(cause, 'error', 'fault', error instanceof GraphQLError ? error.path : undefined);
    return { code: 'INTERNAL_SERVER_ERROR', message: FAULT_MESSAGE, requestId: currentScope()?.requestId };
  }

  #logOnce(cause: unknown, level: 'warn' | 'error', message: string, path?: readonly (string | number)[]): void {
    const scope: RequestScope | undefined = currentScope();
    if (scope) {
      const faults = (scope.faults ??= new Set());
      if (faults.has(cause) || faults.size >= ERRORS_MAX) return;
      faults.add(cause);
    }
    this.logger[level]({ err: cause, path, operation: scope?.operation }, message);
  }
}

interface Verdict {
  code: ErrorCode;
  message: string;
  field?: string;
  retryAfterSeconds?: number;
  requestId?: string | undefined;
}

/** What was thrown, under the GraphQL errors that were put around it on the way; the error itself, if it was GraphQL's own. */
function causeOf(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError) cause = cause.originalError;
  return cause ?? error;
}

/** Errors of compiled operations have no extensions. */
const codeOf = (cause: unknown): unknown => (cause instanceof GraphQLError ? (cause.extensions as Record<string, unknown> | undefined)?.['code'] : undefined);

function whereOf(error: unknown): Pick<GraphQLFormattedError, 'locations' | 'path'> {
  if (!(error instanceof GraphQLError)) return {};
  return { ...(error.locations ? { locations: error.locations } : {}), ...(error.path ? { path: error.path } : {}) };
}
