import { pino, type DestinationStream, type Logger } from 'pino';
import { currentScope } from './server/request-scope.js';

/** One line of JSON per event, with the id of the request it belongs to and without anything secret. */

const SECRETS = ['password', 'passwordHash', 'accessToken', 'refreshToken', 'queueToken', 'token', 'authorization', 'variables', 'sql', 'params'];

export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    mixin: () => {
      const scope = currentScope();
      return scope ? { requestId: scope.requestId } : {};
    },
    mixinMergeStrategy: (line: object, mixin: object) => ({ ...mixin, ...line }),
    serializers: { err: describeError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
  };
  return destination ? pino(options, destination) : pino(options);
}

interface DriverError extends Error {
  code?: unknown;
  errno?: unknown;
  sqlMessage?: unknown;
}

/** A driver's error carries the statement with its values in it, in the message too; what is logged says what went wrong and where, not with what. */
function describeError(error: unknown): Record<string, unknown> {
  if (!isError(error)) return { message: String(error) };
  const root = rootOf(error) as DriverError;
  return {
    type: error.name,
    message: typeof root.sqlMessage === 'string' ? root.sqlMessage : error.message,
    ...(root.code === undefined ? {} : { code: root.code }),
    ...(root.errno === undefined ? {} : { errno: root.errno }),
    stack: framesOf(error),
  };
}

function rootOf(error: Error): Error {
  let root = error;
  while (isError(root.cause)) root = root.cause;
  return root;
}

const isError = (value: unknown): value is Error => typeof value === 'object' && value !== null && 'message' in value;

const framesOf = (error: Error): string => (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).join('\n');
