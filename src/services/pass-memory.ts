import { Recent } from '../domain/recent.js';
import { topics, type PubSub } from '../redis/pubsub.js';

/** So long a process believes that a pass is ACTIVE without asking, never beyond its end, and only for looks at the seats. */
const PASS_REMEMBERED_MS = 1000;
/** Passes that are remembered, and concerts whose queues are listened to for it. */
const PASSES_MAX = 50_000;
const CONCERTS_MAX = 1000;

interface Pass {
  queueToken: string;
  userId: string;
  concertId: string;
  key: string;
  goodUntil: number;
}

/** What this process has just learned of passes. Word of a change of its user's place takes one away at once, also from those who are just about to remember it. */
export class PassMemory {
  readonly #byToken = new Recent<string, Pass>(PASSES_MAX);
  /** By concert and user: a pass that is not here any more is not believed. */
  readonly #ofUser = new Recent<string, Pass>(PASSES_MAX);
  /** How to stop listening to a concert's queue; null until the listening has begun. */
  readonly #heard = new Map<string, (() => void) | null>();

  constructor(private readonly pubsub: PubSub) {}

  isGood(queueToken: string, userId: string, concertId: string): boolean {
    const pass = this.#byToken.get(queueToken);
    return pass !== undefined && performance.now() < pass.goodUntil && pass.userId === userId && pass.concertId === concertId && this.#ofUser.get(pass.key) === pass;
  }

  /** Before the question. Answers how to remember that the pass is ACTIVE for so long; what was asked before a change is not remembered after it. */
  asking(queueToken: string, userId: string, concertId: string): (remainingMs: number) => void {
    const from = performance.now();
    if (!this.#hears(concertId)) return () => undefined;
    const key = keyOf(concertId, userId);
    let known = this.#ofUser.get(key);
    if (known?.queueToken !== queueToken) this.#ofUser.set(key, (known = { queueToken, userId, concertId, key, goodUntil: -Infinity }));
    const pass = known;
    return (remainingMs) => {
      if (this.#ofUser.get(key) !== pass) return;
      pass.goodUntil = from + Math.min(PASS_REMEMBERED_MS, remainingMs);
      this.#byToken.set(queueToken, pass);
    };
  }

  forget(concertId: string, userId: string): void {
    this.#ofUser.delete(keyOf(concertId, userId));
  }

  /** Nothing of a queue is remembered before its messages are heard. */
  #hears(concertId: string): boolean {
    const stop = this.#heard.get(concertId);
    if (stop === undefined) void this.#listen(concertId);
    return !!stop;
  }

  async #listen(concertId: string): Promise<void> {
    this.#heard.set(concertId, null);
    try {
      const stop = await this.pubsub.listen<'queueMoved'>(topics.queueMoved(concertId), ({ users }) => {
        for (const userId of users) this.forget(concertId, userId);
      });
      this.#heard.set(concertId, stop);
      this.#leaveOldest();
    } catch {
      this.#heard.delete(concertId);
    }
  }

  /** What is remembered of a queue that is not listened to any more ends by itself. */
  #leaveOldest(): void {
    for (const [concertId, stop] of this.#heard) {
      if (this.#heard.size <= CONCERTS_MAX) return;
      if (!stop) continue;
      this.#heard.delete(concertId);
      stop();
    }
  }
}

const keyOf = (concertId: string, userId: string): string => `${concertId} ${userId}`;
