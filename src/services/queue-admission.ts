import pLimit from 'p-limit';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import {
  endPassesByTime, givePasses, notePassesGiven, overduePasses, paidPassesOf, queueFactsOf, unnotedPassesOf, withdrawPasses, type QueueFacts,
} from '../database/repositories/queue.repository.js';
import { endPlaces, forgetQueueLine, lookedAfterQueues, noteBeats, passesOfUsers, takeBackPasses } from '../database/repositories/queue-line.repository.js';
import type { Transactions } from '../database/transaction.js';
import type { Counters } from '../domain/counters.js';
import { queuePolicyOf } from '../domain/queue-policy.js';
import { isGivenUp, rememberedAs } from '../domain/queue-recovery.js';
import { ENDED_KEPT_MS, heartbeatMsOf, saleHasOpened, saleIsOver, type Place } from '../domain/queue.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import { QUEUE_BATCH, type AdmitOutcome, type EndCause, type Look, type QueueStore } from '../redis/queue-store.js';

/**
 * The tick of the queues: ends what is over, admits whose turn has come, tells who listens. It may be cut short anywhere and may run twice at
 * once: rate, maximum and order are kept by the scripts, and a pass is in the database before anyone is told of it.
 */

/** A line shortens or grows by at most this many batches in one tick. */
const BATCHES_MAX = 20;
/** Ticks that stayed away this often, and longer than a heartbeat may, are an outage: nobody could be seen meanwhile. */
const OUTAGE_TICKS = 4;
const USERS_PER_MESSAGE = 200;
/** What is asked of Redis for several queues at once costs both sides less than half; fewer than a process has connections to the database, as it comes. */
export const QUEUES_AT_ONCE = 8;
/** A queue in which nobody waits is looked after about so often, or twice between two heartbeats, and never more often than with every tick. */
export const QUIET_MS = 500;

export class QueueAdmission {
  /** When each queue was looked after by this process, by performance.now(). */
  #lookedAt = new Map<string, number>();
  /** Looks through all passes there are: several at once would keep the database from those who buy. */
  readonly #mending = pLimit(1);

  constructor(
    private readonly store: QueueStore,
    private readonly transactions: Transactions,
    private readonly pubsub: PubSub,
    private readonly counters: Counters,
    private readonly config: Config['queue'],
    private readonly logger: Logger,
  ) {}

  /** `sparing` leaves out queues in which nobody waits and that were looked after a moment ago: what there is to do in those can wait for it. */
  async tick(sparing = false): Promise<void> {
    const now = performance.now();
    // Those that Redis has lost are known by their rows.
    const lookedAfter = await lookedAfterQueues(this.transactions.fork());
    const concertIds = [...new Set([...(await this.store.queues()), ...lookedAfter])];
    const overdue = await overduePasses(this.transactions.fork(), QUEUE_BATCH);
    if (overdue.length > 0) await this.transactions.runBriefly(({ em }) => endPassesByTime(em, overdue));
    // Also without any queue: those who watch one that was lost with Redis would never hear of it otherwise.
    if (await this.store.beatDue(this.#heartbeatMs)) await this.pubsub.publish<'queuesBeat'>(topics.queuesBeat(), {});
    const due = sparing ? await this.#due(concertIds, now) : concertIds;
    if (due.length === 0) return;
    const facts = await queueFactsOf(this.transactions.fork(), due);
    const failures: unknown[] = [];
    const beats: { concertId: string; beat: number }[] = [];
    const limit = pLimit(QUEUES_AT_ONCE);
    await limit.map(due, async (concertId) => {
      try {
        const beat = await this.#tickOne(concertId, facts.get(concertId));
        if (beat !== null) beats.push({ concertId, beat });
        this.#lookedAt.set(concertId, now);
      } catch (error) {
        // One broken queue does not stop the others.
        this.logger.error({ err: error, concertId }, 'tick of a queue failed');
        this.#lookedAt.delete(concertId);
        failures.push(error);
      }
    });
    // In one order, whichever queue was done first: two ticks at once would wait for each other in a circle.
    await noteBeats(this.transactions.fork(), beats.toSorted((a, b) => (a.concertId < b.concertId ? -1 : 1)));
    if (failures.length > 0) throw failures[0];
  }

  async #due(concertIds: readonly string[], now: number): Promise<string[]> {
    // Ticks do not come at even times: one that is half a tick early is the one that is meant.
    const since = now - Math.min(QUIET_MS, this.#heartbeatMs / 2) + this.config.tickMs / 2;
    const lately = concertIds.filter((concertId) => (this.#lookedAt.get(concertId) ?? -Infinity) > since);
    this.#lookedAt = new Map(lately.map((concertId) => [concertId, this.#lookedAt.get(concertId)!]));
    if (lately.length === 0) return [...concertIds];
    const waiting = await this.store.waiting(lately);
    const quiet = new Set(lately.filter((_, index) => waiting[index] === 0));
    return concertIds.filter((concertId) => !quiet.has(concertId));
  }

  /** The number of this tick of the queue; null when it is looked after no more. */
  async #tickOne(concertId: string, facts: QueueFacts | undefined): Promise<number | null> {
    if (!facts) return this.#forget(concertId);
    const look = await this.#look(concertId, facts);
    const changed: string[] = [];
    try {
      changed.push(...(await this.#endWhatIsOver(concertId, facts, look)));
      if (look.heartbeatDue) changed.push(...(await this.#mendActive(concertId, look.epoch)));
      // An idle queue has no pace: to propose now would begin one that the next crowd's estimate counts as empty intervals.
      if (!look.idle) changed.push(...(await this.#admit(concertId, facts)));
    } finally {
      // Also when the database takes no passes: who is connected must be asked for, or would count as absent.
      await this.#tell(concertId, changed, look);
    }
    return look.idle ? this.#forget(concertId) : look.beat;
  }

  async #forget(concertId: string): Promise<null> {
    await forgetQueueLine(this.transactions.fork(), concertId);
    await this.store.forget(concertId);
    return null;
  }

  get #heartbeatMs(): number {
    return heartbeatMsOf(this.config.absenceGraceMs);
  }

  #look(concertId: string, facts: QueueFacts): Promise<Look> {
    const { absenceGraceMs, tickMs } = this.config;
    const heartbeatMs = this.#heartbeatMs;
    return this.store.look(concertId, {
      outageMs: Math.max(heartbeatMs, OUTAGE_TICKS * tickMs),
      absenceGraceMs,
      heartbeatMs,
      seatsMayRemain: facts.seatsMayRemain,
      saleIsOver: saleIsOver(facts.sale),
    });
  }

  async #endWhatIsOver(concertId: string, facts: QueueFacts, first: Look): Promise<string[]> {
    const ended: string[] = [];
    let look = first;
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      ended.push(...(await this.#end(concertId, 'TIME', look.overdue)), ...(await this.#endAbsent(concertId, look.absent)));
      if (look.overdue.length < QUEUE_BATCH && look.absent.length < QUEUE_BATCH) break;
      look = await this.#look(concertId, facts);
      // Found once: no later look of this tick or of the next says it again.
      first.moved ||= look.moved;
      first.heartbeatDue ||= look.heartbeatDue;
    }
    return ended;
  }

  /** The rows keep their queue tokens from bringing the places back. */
  async #endAbsent(concertId: string, places: readonly Place[]): Promise<string[]> {
    const ended = new Set(await this.#end(concertId, 'ABSENT', places));
    const gone = places.filter(({ userId }) => ended.has(userId));
    await this.transactions.runBriefly(({ em }) => endPlaces(em, concertId, gone, 'ABSENT'));
    return [...ended];
  }

  /** What a process that died left undone: a pass handed over but not noted as such, a pass paid but still open here. */
  async #mendActive(concertId: string, epoch: number): Promise<string[]> {
    const ended: string[] = [];
    for await (const active of this.store.activePlaces(concertId)) {
      if (active.length > 0) ended.push(...(await this.#mending(() => this.#mendSome(concertId, active, epoch))));
    }
    return ended;
  }

  async #mendSome(concertId: string, active: readonly Place[], epoch: number): Promise<string[]> {
    const unnoted = await unnotedPassesOf(this.transactions.fork(), concertId, active);
    if (unnoted.length > 0) await this.transactions.runBriefly(({ em }) => notePassesGiven(em, concertId, unnoted, epoch));
    return this.#end(concertId, 'PAID', await paidPassesOf(this.transactions.fork(), concertId, active.map(({ userId }) => userId)));
  }

  #end(concertId: string, cause: EndCause, places: readonly Place[]): Promise<string[]> {
    return this.store.end(concertId, cause, places, ENDED_KEPT_MS, this.config.absenceGraceMs);
  }

  /** Propose, write the passes, then hand them over: a crash in between leaves rows that the next tick writes again. */
  async #admit(concertId: string, facts: QueueFacts): Promise<string[]> {
    if (!saleHasOpened(facts.sale) || saleIsOver(facts.sale)) return [];
    const policy = queuePolicyOf(facts.policy, this.config);
    const admitted: string[] = [];
    for (let batch = 0; batch < BATCHES_MAX; batch += 1) {
      const proposed = await this.store.propose(concertId, policy);
      if (proposed.length === 0) break;
      const ended = await this.#endedBefore(concertId, proposed);
      if (ended.length > 0) admitted.push(...(await this.#end(concertId, 'KNOWN', ended)));
      const open = proposed.filter((place) => !ended.includes(place));
      if (open.length === 0) continue;
      await this.transactions.runBriefly(({ em }) => givePasses(em, concertId, open, this.config.passTtlMs));
      const { outcomes, active, epoch } = await this.store.admit(concertId, policy, this.config.passTtlMs, open);
      const of = (...wanted: AdmitOutcome[]): Place[] => open.filter((_, index) => wanted.includes(outcomes[index]!));
      const taken = of('ADMITTED');
      admitted.push(...taken.map(({ userId }) => userId));
      this.counters.admitted(taken.length);
      if (taken.length > 0) await this.transactions.runBriefly(({ em }) => notePassesGiven(em, concertId, taken, epoch, { active, activeMax: policy.activeMax }));
      const before = of('ALREADY');
      if (before.length > 0) await this.transactions.runBriefly(({ em }) => notePassesGiven(em, concertId, before, epoch));
      const gone = of('GONE');
      if (gone.length > 0) await this.transactions.runBriefly(({ em }) => withdrawPasses(em, concertId, gone));
      const lost = of('LOST');
      if (lost.length > 0) await this.transactions.runBriefly(({ em }) => takeBackPasses(em, concertId, lost));
      if (proposed.length < QUEUE_BATCH) break;
    }
    return admitted;
  }

  /** Those of the places that have ended or were given up, of which a Redis that is older than the rows does not know: nobody is admitted twice. */
  async #endedBefore(concertId: string, places: readonly Place[]): Promise<Place[]> {
    const rows = await passesOfUsers(this.transactions.fork(), concertId, places.map(({ userId }) => userId));
    const rowsOf = Map.groupBy(rows, ({ userId }) => userId);
    const givenUp = places.filter((place) => isGivenUp(place, rowsOf.get(place.userId) ?? []));
    if (givenUp.length > 0) await this.transactions.runBriefly(({ em }) => endPlaces(em, concertId, givenUp, 'LEFT'));
    const isOver = ({ userId, place }: Place): boolean => rowsOf.get(userId)?.some((row) => row.place === place && ['COMPLETED', 'EXPIRED'].includes(rememberedAs(row))) ?? false;
    return places.filter((place) => givenUp.includes(place) || isOver(place));
  }

  /** One message, however many watch; more only where more have changed than fit into one. */
  async #tell(concertId: string, users: string[], { moved, heartbeatDue }: Look): Promise<void> {
    if (!moved && users.length === 0 && !heartbeatDue) return;
    for (; users.length > USERS_PER_MESSAGE; users = users.slice(USERS_PER_MESSAGE)) {
      await this.pubsub.publish<'queueMoved'>(topics.queueMoved(concertId), { concertId, users: users.slice(0, USERS_PER_MESSAGE), moved: false, heartbeat: false });
    }
    try {
      await this.store.tell({ concertId, users, moved: moved || users.length > 0, heartbeat: heartbeatDue });
    } catch (error) {
      // The moves wait for the next tick, and a heartbeat that was lost is made good by the next.
      this.counters.followUpFailed('publish', error);
    }
  }
}
