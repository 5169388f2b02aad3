import { NOT_SERVING } from '../redis/unavailable.js';
import { NoAnswer } from '../domain/deadline.js';

/** Tells that a store is away, or too busy, from what its driver throws: such an answer is worth another try, a fault of ours is not. */

const AWAY_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
  'PROTOCOL_CONNECTION_LOST', 'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR', 'PROTOCOL_ENQUEUE_AFTER_QUIT', 'POOL_CLOSED', 'POOL_ENQUEUELIMIT', 'POOL_WAIT_OVER',
  'ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS', 'ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED', 'ER_OPTION_PREVENTS_STATEMENT',
  'ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD',
]);
const AWAY_NAMES = new Set(['MaxRetriesPerRequestError', 'ConnectionException']);
const AWAY_MESSAGES = [
  /^Connection is closed\.?$/,
  /^Stream isn't writeable and enableOfflineQueue options is false/,
  NOT_SERVING,
  /^Command timed out$/,
  /^Pool is closed\.?$/,
  /^Queue limit reached\.?$/,
  /closed state$/,
];

export function isStoreAway(error: unknown): boolean {
  for (let cause: unknown = error; typeof cause === 'object' && cause !== null; cause = (cause as Error).cause) {
    if (cause instanceof NoAnswer) return true;
    const { code, syscall, name, message } = cause as NodeJS.ErrnoException;
    if (syscall === 'connect' || (code !== undefined && AWAY_CODES.has(String(code)))) return true;
    if (AWAY_NAMES.has(name) || AWAY_NAMES.has(cause.constructor?.name)) return true;
    if (AWAY_MESSAGES.some((pattern) => pattern.test(message))) return true;
  }
  return false;
}
