import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { openPasses, passesEndedSince, passesOfUsers, takeQueueEpoch, type QueueLineState } from '../database/repositories/queue-line.repository.js';
import { concertExists, notePassesGiven } from '../database/repositories/queue.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { withoutDeadline } from '../domain/deadline.js';
import { notFound, serviceUnavailable } from '../domain/errors.js';
import { rememberedAs, type PassRow } from '../domain/queue-recovery.js';
import type { Place } from '../domain/queue.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { Claim, QueueRecoveryStore, RestoredPlace } from '../redis/queue-recovery-store.js';
import { QUEUE_BATCH } from '../redis/queue-store.js';

/**
 * A queue that a lost, restarted or older Redis holds becomes again what the rows say: open passes are ACTIVE, ended places are gone, newcomers stand
 * behind every place ever given. Where places may be missing nobody is admitted until their users had time to bring them back. It may be cut short
 * anywhere and run anywhere: nobody uses the queue before it is whole.
 */

/** Redis may be lost once more meanwhile. */
const ATTEMPTS_MAX = 5;
/** Before its last tick the state that Redis has left knew everything, by clocks that differ by less than this. */
const CLOCKS_DIFFER_MS = 60_000;

type Page = (after: Place | null) => Promise<PassRow[]>;

export class QueueRecovery {
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    private readonly store: QueueRecoveryStore,
    private readonly transactions: Transactions,
    private readonly pubsub: PubSub,
    private readonly counters: Counters,
    private readonly config: Config['queue'],
    private readonly logger: Logger,
  ) {}

  /** A crowd that finds the queue lost recovers it once. */
  recover(concertId: string): Promise<void> {
    const running = this.#running.get(concertId);
    if (running) return running;
    const recovery = withoutDeadline(() => this.#recover(concertId)).finally(() => this.#running.delete(concertId));
    this.#running.set(concertId, recovery);
    return recovery;
  }

  async #recover(concertId: string): Promise<void> {
    if (!(await concertExists(this.transactions.fork(), concertId))) throw notFound('concert');
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const claim = await this.store.claim(concertId);
      if (claim === null) return;
      if (claim !== 'BUSY' && (await this.#rebuild(concertId, claim))) return;
    }
    throw serviceUnavailable();
  }

  /** False when the claim was lost: to be done over. */
  async #rebuild(concertId: string, claim: Claim): Promise<boolean> {
    const line = await this.transactions.run((em) => takeQueueEpoch(em, concertId));
    if (claim.hasUsers && !(await this.#dropUnproven(concertId, claim))) return false;
    const passes = await this.#restore(concertId, claim, (after) => openPasses(this.transactions.fork(), concertId, after, QUEUE_BATCH));
    if (passes === null) return false;
    if (claim.hasUsers) {
      const sinceMs = (claim.tickAtMs ?? 0) - CLOCKS_DIFFER_MS;
      const ended = await this.#restore(concertId, claim, (after) => passesEndedSince(this.transactions.fork(), concertId, sinceMs, after, QUEUE_BATCH));
      if (ended === null) return false;
    }
    const placesMissing = line.lookedAfter && (claim.beat ?? -1) < line.beat;
    const pausedUntil = await this.store.finish(concertId, claim, line.epoch, line.beat, placesMissing ? this.config.rebuildGraceMs : 0);
    if (pausedUntil === null) return false;
    await this.#announce(concertId, { line, placesMissing, passes, pausedUntil, isUsed: line.lookedAfter || claim.hasUsers || passes > 0 });
    return true;
  }

  /** Passes that Redis takes for open and no row says so. */
  async #dropUnproven(concertId: string, claim: Claim): Promise<boolean> {
    for await (const active of this.store.activePlaces(concertId)) {
      if (active.length === 0) continue;
      const rows = await passesOfUsers(this.transactions.fork(), concertId, active.map(({ userId }) => userId));
      const statusOf = new Map(rows.map((row) => [`${row.userId} ${row.place}`, rememberedAs(row)]));
      const ended = active.flatMap((place): RestoredPlace[] => {
        const status = statusOf.get(`${place.userId} ${place.place}`);
        if (status === 'ACTIVE' || status === 'ADMITTED') return [];
        return [{ ...place, status: status === 'COMPLETED' ? 'COMPLETED' : 'EXPIRED', remainingMs: 0 }];
      });
      if (ended.length > 0 && !(await this.store.restore(concertId, claim, ended))) return false;
    }
    return true;
  }

  /** How many passes are open; null when the claim was lost. */
  async #restore(concertId: string, claim: Claim, page: Page): Promise<number | null> {
    let open = 0;
    let after: Place | null = null;
    for (;;) {
      const rows: PassRow[] = await page(after);
      const places = rows.flatMap((row): RestoredPlace[] => {
        const status = rememberedAs(row);
        return status === 'WAITING' ? [] : [{ userId: row.userId, place: row.place, status, remainingMs: row.remainingMs }];
      });
      if (!(await this.store.restore(concertId, claim, places))) return null;
      const handedOver = places.filter(({ status }) => status === 'ADMITTED');
      if (handedOver.length > 0) await this.transactions.run((em) => notePassesGiven(em, concertId, handedOver, null));
      open += places.filter(({ status }) => status === 'ACTIVE' || status === 'ADMITTED').length;
      if (rows.length < QUEUE_BATCH) return open;
      after = rows.at(-1)!;
    }
  }

  async #announce(
    concertId: string,
    { line, placesMissing, passes, pausedUntil, isUsed }: { line: QueueLineState; placesMissing: boolean; passes: number; pausedUntil: number; isUsed: boolean },
  ): Promise<void> {
    if (isUsed) await this.store.lookAfter(concertId);
    if (!line.known && !isUsed) return;
    this.counters.queueRebuilt(placesMissing ? 'lost' : 'kept');
    this.logger.warn({ concertId, passes, placesMissing, pausedUntil: pausedUntil > 0 ? new Date(pausedUntil) : null }, 'queue rebuilt');
    // Who watches comes back at once, on every instance.
    await this.pubsub.publish<'queueMoved'>(topics.queueMoved(concertId), { concertId, users: [], moved: true, heartbeat: true });
  }
}
