import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { keys } from './keys.js';

/**
 * Spares the database most looks at a session's row, and never says `active` once a revocation reached it: a revocation overwrites, a
 * reader's memory of the row does not. It never fails its caller: without Redis it knows nothing.
 */

export type SessionState = 'active' | 'revoked';

/** How long `active` is believed; also the bound on what is lost when a revocation cannot be written and its process ends. */
export const ACTIVE_CACHED_MS = 60_000;
/** Access tokens are cut to whole seconds; a revocation outlives the longest of them. */
const REVOKED_MARGIN_MS = 5000;

export class SessionCache {
  /** Revocations that Redis could not take; said again as soon as it is back, before any other command of this process. */
  readonly #unsaid = new Set<string>();

  constructor(
    private readonly redis: Redis,
    private readonly accessTokenTtlMs: number,
    private readonly logger: Logger,
  ) {
    redis.on('ready', () => void Promise.all([...this.#unsaid].map((sessionId) => this.revoke(sessionId))));
  }

  /** Null: ask the database. */
  async read(sessionId: string): Promise<SessionState | null> {
    if (this.#unsaid.has(sessionId)) return 'revoked';
    try {
      return (await this.redis.get(keys.session(sessionId))) as SessionState | null;
    } catch {
      return null;
    }
  }

  /** What a reader found in the row, at most `remainingMs`. Never over what a revocation has written meanwhile. */
  async remember(sessionId: string, state: SessionState, remainingMs: number): Promise<void> {
    const ttlMs = Math.max(1, Math.min(ACTIVE_CACHED_MS, Math.floor(remainingMs)));
    try {
      await this.redis.set(keys.session(sessionId), state, 'PX', ttlMs, 'NX');
    } catch (error) {
      this.logger.debug({ err: error }, 'session not cached');
    }
  }

  /** After the row says so. */
  async revoke(sessionId: string): Promise<void> {
    try {
      await this.redis.set(keys.session(sessionId), 'revoked' satisfies SessionState, 'PX', this.accessTokenTtlMs + REVOKED_MARGIN_MS);
      this.#unsaid.delete(sessionId);
    } catch (error) {
      this.#unsaid.add(sessionId);
      this.logger.warn({ err: error, sessionId }, 'revocation not cached yet');
    }
  }
}
