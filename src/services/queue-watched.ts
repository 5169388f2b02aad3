import { UNKNOWN_LINE } from '../domain/queue-moves.js';
import type { QueueStatus } from '../domain/states.js';
import type { Watcher } from './queue-watcher.js';

/** A user who is watching, and where, as true as it is known: at `version` of the line of `epoch`. */
export interface Watched {
  readonly userId: string;
  watchers: Watcher[];
  /** By Redis: what is brought back when Redis has lost it. Null without one. */
  place: number | null;
  status: QueueStatus;
  rank: number;
  passEndsAt: number;
  epoch: number;
  version: number;
  /** To be told what is read next, wherever in the line that is. */
  owed: boolean;
  toldAt: number;
  isToTell: boolean;
}

export const newlyWatched = (watcher: Watcher, place: number | null): Watched => ({
  userId: watcher.userId,
  watchers: [watcher],
  place,
  status: 'WAITING',
  rank: 0,
  passEndsAt: 0,
  epoch: UNKNOWN_LINE,
  version: UNKNOWN_LINE,
  owed: true,
  toldAt: 0,
  isToTell: false,
});

/**
 * When those hear of a moving line who are far back: in turns, spread over the messages, so that not all are told at once. Whoever has news is told within two
 * heartbeats, which is within the 10 s that were promised: with the first of them, unless it was told just before.
 */
export const FAR_EVERY_MS = 4500;

export class FarTurns {
  #turn: Iterator<Watched>;
  #due = 0;
  #messageAt = performance.now();
  #beatAt = 0;

  constructor(private readonly watched: ReadonlyMap<string, Watched>) {
    this.#turn = watched.values();
  }

  /** Those whose turn has come with this message: all have theirs in FAR_EVERY_MS. */
  *next(): Iterable<Watched> {
    const now = performance.now();
    const count = this.watched.size;
    this.#due = Math.min(count, this.#due + (count * (now - this.#messageAt)) / FAR_EVERY_MS);
    this.#messageAt = now;
    for (; this.#due >= 1; this.#due -= 1) {
      const { value, done } = this.#turn.next();
      if (done) this.#turn = this.watched.values();
      else yield value;
    }
  }

  /** With a heartbeat: those who were not told since the one before, or long ago. */
  *late(): Iterable<Watched> {
    const now = performance.now();
    for (const watched of this.watched.values()) if (watched.toldAt < this.#beatAt || now - watched.toldAt >= FAR_EVERY_MS) yield watched;
    this.#beatAt = now;
  }
}
