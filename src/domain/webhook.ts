import { badInput } from './errors.js';
import { EVENT_TYPES, type EventType } from './event.js';

export const WEBHOOK_URL_MAX = 500;
/** With the waits between them: a receiver may be away for about three hours. */
export const DELIVERY_ATTEMPTS_MAX = 16;
const RETRY_BASE_MS = 1000;
const RETRY_MAX_MS = 3_600_000;

/** An old secret signs no longer than this. */
export const OLD_SECRET_KEPT_MAX_S = 7 * 86_400;

export function keptSecondsOf(field: string, seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > OLD_SECRET_KEPT_MAX_S) throw badInput(field, `Must be from 0 to ${OLD_SECRET_KEPT_MAX_S}.`);
  return seconds;
}

const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '[::1]'];

/** `https:` to any host an admin names; `http:` to this machine alone, and there only where `allowLoopback` says so. */
export function webhookUrlOf(field: string, value: string, allowLoopback: boolean): string {
  const text = value.trim();
  if (text.length > WEBHOOK_URL_MAX || !URL.canParse(text)) throw badInput(field, `Must be a URL of at most ${WEBHOOK_URL_MAX} characters.`);
  const url = new URL(text);
  if (url.username || url.password) throw badInput(field, 'Must not carry a user or password: the signature proves who sends.');
  const isLoopback = url.protocol === 'http:' && LOOPBACK_HOSTS.includes(url.hostname);
  if (url.protocol !== 'https:' && !(allowLoopback && isLoopback)) throw badInput(field, 'Must begin with https://.');
  if (url.href.length > WEBHOOK_URL_MAX) throw badInput(field, `Must be a URL of at most ${WEBHOOK_URL_MAX} characters.`);
  return url.href;
}

/** Each once, in the order of the catalogue. */
export function eventTypesOf(field: string, types: readonly EventType[]): EventType[] {
  if (types.length === 0) throw badInput(field, 'Name at least one type of event.');
  return EVENT_TYPES.filter((type) => types.includes(type));
}

/** Doubles with every failure; between the half and the whole of it, so that those who failed together do not come back together. */
export function retryDelayMs(attempts: number, random: number): number {
  const whole = Math.min(RETRY_BASE_MS * 2 ** (attempts - 1), RETRY_MAX_MS);
  return Math.round(whole * (0.5 + random / 2));
}
