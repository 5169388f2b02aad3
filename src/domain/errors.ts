/** The only codes that leave the server in `extensions.code`. */
export const ERROR_CODES = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'BAD_USER_INPUT',
  'QUEUE_TOKEN_REQUIRED',
  'QUEUE_TOKEN_WAITING',
  'QUEUE_TOKEN_EXPIRED',
  'RATE_LIMITED',
  'SERVICE_UNAVAILABLE',
  'INTERNAL_SERVER_ERROR',
  'PERSISTED_QUERY_NOT_FOUND',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** A top-level error whose code and message a client may see. Everything else that is thrown is a fault and stays inside. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly extensions: { field?: string; retryAfterSeconds?: number } = {},
  ) {
    super(message);
  }
}

export const badInput = (field: string, message: string): RequestError => new RequestError('BAD_USER_INPUT', message, { field });
/** The same answer for what does not exist and for what is someone else's. */
export const notFound = (noun: string): RequestError => new RequestError('NOT_FOUND', `No such ${noun}.`);
export const unauthenticated = (): RequestError => new RequestError('UNAUTHENTICATED', 'Sign in first: the access token is missing, expired or revoked.');
export const forbidden = (): RequestError => new RequestError('FORBIDDEN', 'Your account may not do this.');
export const queueTokenRequired = (): RequestError =>
  new RequestError('QUEUE_TOKEN_REQUIRED', "Join the concert's queue first and send its queue token.");
export const queueTokenWaiting = (): RequestError => new RequestError('QUEUE_TOKEN_WAITING', 'Your turn has not come yet.');
export const queueTokenExpired = (): RequestError => new RequestError('QUEUE_TOKEN_EXPIRED', 'Your pass has ended; join the queue again.');
export const rateLimited = (retryAfterSeconds: number, message = 'Too many requests; try again later.'): RequestError =>
  new RequestError('RATE_LIMITED', message, { retryAfterSeconds });
export const serviceUnavailable = (retryAfterSeconds = 5): RequestError =>
  new RequestError('SERVICE_UNAVAILABLE', 'The service is not available right now. Repeating the same call is safe.', { retryAfterSeconds });
