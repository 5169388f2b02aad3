/**
 * Uses of a limit that a process may give without asking Redis each time. What it gives is told to Redis with the next question, or when it is asked what to
 * report: at the latest a second later. So the limit can be passed, by what a process may give, for no longer than that.
 */

/** Of the uses that are left in a window, a process gives so many by itself: few of few, none of less than ten. */
export const GRANTED_SHARE = 0.1;
/** A grant lasts no longer, and what was used is told at least as often. */
export const GRANTED_MS = 1000;
/** Subjects with a grant; without room for one, Redis is asked. */
const GRANTS_MAX = 100_000;

interface Grant {
  left: number;
  until: number;
  /** Used and not told yet. */
  used: number;
  windowEnd: number;
}

export interface UnreportedUses {
  subject: string;
  uses: number;
}

export class GrantedUses {
  readonly #grants = new Map<string, Grant>();

  constructor(private readonly max: number) {}

  has(subject: string, now: number): boolean {
    const grant = this.#grants.get(subject);
    return grant !== undefined && grant.left > 0 && now < grant.until;
  }

  /** Only where there is one. */
  use(subject: string): void {
    const grant = this.#grants.get(subject)!;
    grant.left -= 1;
    grant.used += 1;
  }

  /** What was used and not told, to be told now. */
  take(subject: string, now: number): number {
    const grant = this.#grants.get(subject);
    if (!grant) return 0;
    const uses = now < grant.windowEnd ? grant.used : 0;
    grant.used = 0;
    return uses;
  }

  /** Telling has failed. */
  putBack(subject: string, uses: number): void {
    const grant = this.#grants.get(subject);
    if (grant) grant.used += uses;
  }

  /** What Redis has counted: from it, and from what it was not told yet, follows what may be given next. */
  learn(subject: string, counted: number, msLeft: number, now: number): void {
    const known = this.#grants.get(subject);
    const used = known?.used ?? 0;
    const left = Math.floor((this.max - counted - used) * GRANTED_SHARE);
    if (left <= 0 && used === 0) return void this.#grants.delete(subject);
    if (!known && this.#grants.size >= GRANTS_MAX) return;
    this.#grants.set(subject, { left: Math.max(0, left), until: now + Math.min(GRANTED_MS, msLeft), used, windowEnd: now + msLeft });
  }

  /** Everything that was used and not told; what is over is forgotten. */
  takeAll(now: number): UnreportedUses[] {
    const unreported: UnreportedUses[] = [];
    for (const [subject, grant] of this.#grants) {
      const uses = this.take(subject, now);
      if (uses > 0) unreported.push({ subject, uses });
      else if (now >= grant.until) this.#grants.delete(subject);
    }
    return unreported;
  }
}
