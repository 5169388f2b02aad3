import type { Outcome } from './group-commit.js';

/** What a request asked for is locked by somebody else: it is judged when it is alone and can wait. */
export class NotNow extends Error {}

/** What there must be, or else this error; where locks are not waited for, what is missing may only be locked. */
export function present<T>(found: T | undefined, wait: boolean, missing: () => Error): T {
  if (found !== undefined) return found;
  throw wait ? missing() : new NotNow();
}

/** A request of a batch on its way through the transaction. Open until it has an outcome. */
export class Member<Request, Answer> {
  outcome: Outcome<Answer> | null = null;

  constructor(readonly request: Request) {}

  /** Whatever a rule says no to is this request's own outcome, and nobody else's. */
  judge(rule: () => void): void {
    if (this.outcome) return;
    try {
      rule();
    } catch (error) {
      this.outcome = error instanceof NotNow ? 'aside' : { error };
    }
  }

  answer(answer: Answer): void {
    this.outcome = { answer };
  }
}

export const open = <One extends Member<unknown, unknown>>(members: readonly One[]): One[] => members.filter(({ outcome }) => outcome === null);
