import { Recent } from '../domain/recent.js';
import type { Viewer } from '../domain/viewer.js';

/** So long a process believes that a session is good without asking, and only for reads of what everybody may read or sees behind a pass. */
const SESSION_REMEMBERED_MS = 1000;
/** Access tokens whose signature was checked. */
export const TOKENS_REMEMBERED_MAX = 50_000;

interface Standing {
  goodUntil: number;
}

/** What this process has just learned of access tokens and sessions. Word of a sign-out takes it away at once, also from those who are just about to remember it. */
export class SessionMemory {
  readonly #viewers = new Recent<string, Viewer>(TOKENS_REMEMBERED_MAX);
  readonly #standings = new Recent<string, Standing>(TOKENS_REMEMBERED_MAX);

  /** Of a token whose signature is good and which has not ended by this process's clock. */
  viewerOf(accessToken: string, verify: (token: string) => Viewer | null): Viewer | null {
    const known = this.#viewers.get(accessToken);
    if (known) return known.tokenExpiresAt.getTime() > Date.now() ? known : null;
    const viewer = verify(accessToken);
    if (viewer) this.#viewers.set(accessToken, viewer);
    return viewer;
  }

  isGood(sessionId: string): boolean {
    const standing = this.#standings.get(sessionId);
    return standing !== undefined && performance.now() < standing.goodUntil;
  }

  /** Before the question: what was asked before a sign-out is not remembered after it. Answers how to remember that the session is good. */
  asking(sessionId: string): () => void {
    let standing = this.#standings.get(sessionId);
    if (!standing) this.#standings.set(sessionId, (standing = { goodUntil: -Infinity }));
    const asked = standing;
    const from = performance.now();
    return () => (asked.goodUntil = Math.max(asked.goodUntil, from + SESSION_REMEMBERED_MS));
  }

  /** A new standing, so that those who ask about the old one remember it in vain. */
  forget(sessionId: string): void {
    this.#standings.delete(sessionId);
  }
}
