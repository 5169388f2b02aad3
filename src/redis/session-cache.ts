import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { keys } from './keys.js';
import type { ServerRun } from './server-run.js';
import { within } from './within.js';

/**
 * Spares the database most looks at a session's row, and never says `active` once a revocation reached it: a revocation overwrites, a
 * reader's memory of the row does not. It never fails its caller: without Redis it knows nothing.
 */

export type SessionState = 'active' | 'revoked';

/** How long `active` is believed. */
export const ACTIVE_CACHED_MS = 60_000;
/** Longer than any reader takes from looking at the row to remembering it. */
const DOUBTED_MS = 10_000;
const DOUBTED = 'doubted';
/** Access tokens are cut to whole seconds; a revocation outlives the longest of them. */
const REVOKED_MARGIN_MS = 5000;

export class SessionCache {
  /** Revocations that Redis could not take, and when: said again as soon as it is back, before any other command of this process. */
  readonly #unsaid = new Map<string, number>();

  constructor(
    private readonly redis: Redis,
    private readonly run: ServerRun,
    private readonly accessTokenTtlMs: number,
    private readonly logger: Logger,
  ) {
    redis.on('ready', () => {
      for (const sessionId of this.#unsaid.keys()) void this.revoke(sessionId);
    });
  }

  /** Revoked by this process, and Redis does not know it yet. */
  isRevokedHere(sessionId: string): boolean {
    return this.#unsaid.has(sessionId);
  }

  /** Null: ask the database. */
  async read(sessionId: string): Promise<SessionState | null> {
    if (this.isRevokedHere(sessionId)) return 'revoked';
    try {
      const known = await within(this.#keyOf(sessionId).then((key) => this.redis.get(key)));
      return known === DOUBTED ? null : (known as SessionState | null);
    } catch {
      return null;
    }
  }

  /** What a reader found in the row, at most `remainingMs`. Never over what a revocation has written meanwhile. */
  remember(sessionId: string, state: SessionState, remainingMs: number): void {
    const ttlMs = Math.max(1, Math.min(ACTIVE_CACHED_MS, Math.floor(remainingMs)));
    this.#keyOf(sessionId)
      .then((key) => this.redis.set(key, state, 'PX', ttlMs, 'NX'))
      .catch((error: unknown) => this.logger.debug({ err: error }, 'session not cached'));
  }

  /** Before the row says `revoked`: from here on the row is asked, so that a process that ends before it can tell of the revocation leaves nobody signed in. */
  async doubt(sessionId: string): Promise<void> {
    try {
      await within(this.#keyOf(sessionId).then((key) => this.redis.set(key, DOUBTED, 'PX', DOUBTED_MS)));
    } catch (error) {
      this.logger.debug({ err: error, sessionId }, 'session not doubted');
    }
  }

  /** After the row says so. */
  async revoke(sessionId: string): Promise<void> {
    try {
      await within(this.#keyOf(sessionId).then((key) => this.redis.set(key, 'revoked' satisfies SessionState, 'PX', this.accessTokenTtlMs + REVOKED_MARGIN_MS)));
      this.#unsaid.delete(sessionId);
    } catch (error) {
      this.#forgetOld();
      if (!this.#unsaid.has(sessionId)) this.#unsaid.set(sessionId, Date.now());
      this.logger.warn({ err: error, sessionId }, 'revocation not cached yet');
    }
  }

  async #keyOf(sessionId: string): Promise<string> {
    return keys.session(await this.run.current(), sessionId);
  }

  /** What was cached before a revocation is gone by itself after ACTIVE_CACHED_MS, so the list never grows beyond that. */
  #forgetOld(): void {
    for (const [sessionId, sinceMs] of this.#unsaid) {
      if (Date.now() - sinceMs > ACTIVE_CACHED_MS) this.#unsaid.delete(sessionId);
    }
  }
}
