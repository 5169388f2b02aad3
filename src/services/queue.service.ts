import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { Concert } from '../database/entities/concert.entity.js';
import { lockConcert } from '../database/repositories/concert.repository.js';
import { endPlaces, noteBeats } from '../database/repositories/queue-line.repository.js';
import { concertExists, concertOfSchedule, salesOf } from '../database/repositories/queue.repository.js';
import type { Transactions } from '../database/transaction.js';
import { remainingMs, withoutDeadline } from '../domain/deadline.js';
import { badInput, notFound, queueTokenExpired, queueTokenRequired, queueTokenWaiting, rateLimited, RequestError, serviceUnavailable } from '../domain/errors.js';
import { uuidOf } from '../domain/input.js';
import { changedQueuePolicy, queuePolicyOf, type QueuePolicyChange } from '../domain/queue-policy.js';
import { ENDED_KEPT_MS, joinWindow, type Place, type QueuePlace, type QueuePolicy, type QueuePosition, type Sale } from '../domain/queue.js';
import { Recent } from '../domain/recent.js';
import type { Viewer } from '../domain/viewer.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import { MicroBatch } from '../redis/micro-batch.js';
import type { Joined, QueueStore } from '../redis/queue-store.js';
import { orUnavailable } from '../redis/unavailable.js';
import { BriefMemo } from './brief-memo.js';
import { PassMemory } from './pass-memory.js';
import type { QueueAdmission } from './queue-admission.js';
import { positionOf, type QueuePositions, type Stand } from './queue-positions.js';
import type { QueueReturns } from './queue-returns.js';
import type { QueueRooms } from './queue-rooms.js';
import type { TokenService } from './token.service.js';

/** Dates whose concert is remembered; it never changes. */
const SCHEDULES_KNOWN_MAX = 10_000;
/** A crowd asks whose a date is in the same moment. */
const SCHEDULES_ASKED_MAX = 1000;
const SCHEDULE_ASKED_MS = 1000;
/** Concerts that are asked for in one statement. */
const SALES_TOGETHER = 64;
/** A crowd that joins asks at most so often whether it may; who comes alone asks at once. */
const SALES_EVERY_MS = 4;
/** Redis may be lost again between two steps of one call. */
const READINGS_MAX = 3;

/**
 * The waiting room: places in the order in which joins were accepted, one place or pass per user and concert, and no way past it without an
 * ACTIVE pass. Redis holds the line; each pass is a row before it is anyone's.
 */
export class QueueService {
  readonly #concertOfSchedule = new Recent<string, string>(SCHEDULES_KNOWN_MAX);
  readonly #concertsAsked: BriefMemo<string>;
  readonly #passes: PassMemory;
  readonly #sales: MicroBatch<string, Sale | null>;

  constructor(
    private readonly transactions: Transactions,
    private readonly store: QueueStore,
    private readonly positions: QueuePositions,
    private readonly returns: QueueReturns,
    private readonly rooms: QueueRooms,
    private readonly admission: QueueAdmission,
    private readonly pubsub: PubSub,
    private readonly tokens: TokenService,
    private readonly config: Config['queue'],
    private readonly logger: Logger,
  ) {
    this.#passes = new PassMemory(pubsub);
    this.#concertsAsked = new BriefMemo((scheduleId) => this.#readConcertOf(scheduleId), SCHEDULE_ASKED_MS, SCHEDULES_ASKED_MAX);
    this.#sales = new MicroBatch((_, concertIds) => withoutDeadline(() => this.#salesOf(concertIds)), SALES_TOGETHER, { oneAfterTheOther: true, everyMs: SALES_EVERY_MS });
  }

  /** `queueToken` is the one the user holds: after a loss of Redis it brings its place back. */
  async join(viewer: Viewer, concertId: string, queueToken: string | null = null): Promise<{ token: string; position: QueuePosition }> {
    const concert = uuidOf('concertId', concertId);
    const joined = await this.#takePlace(viewer.userId, concert, this.#provenPlace(viewer, concert, queueToken));
    const { place } = joined;
    const position = 'view' in joined ? positionOf(concert, viewer.userId, joined.view, standOf(joined)) : await this.#positionAt(concert, viewer.userId, place);
    const token = this.tokens.signQueue({ concertId: concert, userId: viewer.userId, place }, new Date());
    return { token, position };
  }

  async leave(viewer: Viewer, concertId: string, queueToken: string | null = null): Promise<boolean> {
    const concert = uuidOf('concertId', concertId);
    const leave = () => orUnavailable(this.store.leave(concert, viewer.userId, ENDED_KEPT_MS));
    let left = await leave();
    const proven = left ? null : this.#provenPlace(viewer, concert, queueToken);
    if (proven !== null && (await this.#bringBack(concert, viewer.userId, proven, false))) left = await leave();
    if (!left) {
      if (!(await concertExists(this.transactions.fork(), concert))) throw notFound('concert');
      return false;
    }
    this.#passes.forget(concert, viewer.userId);
    await this.#noteLeft(concert, viewer.userId, left.place);
    await this.#tellUser(concert, viewer.userId);
    return true;
  }

  /** Null if the user never joined, or an hour after the end. Asking counts as being there. */
  async position(viewer: Viewer, concertId: string, queueToken: string | null = null): Promise<QueuePosition | null> {
    const concert = uuidOf('concertId', concertId);
    return (await this.#read(viewer, concert, queueToken))?.position ?? null;
  }

  async watch(viewer: Viewer, concertId: string, queueToken: string | null = null): Promise<AsyncIterableIterator<QueuePosition>> {
    const concert = uuidOf('concertId', concertId);
    // Also tells at once that Redis is away: listening would wait for it.
    const known = await this.#read(viewer, concert, queueToken);
    if (!known) throw queueTokenRequired();
    return this.rooms.watch(concert, viewer.userId, known.place);
  }

  /** Whether this process has learned within the last second that the token's place is this user's ACTIVE one, and nothing else since. Only for looks at the seats. */
  remembersPass(viewer: Viewer, queueToken: string | null, scheduleId: string): boolean {
    const concertId = queueToken === null ? undefined : this.#concertOfSchedule.get(scheduleId);
    return concertId !== undefined && this.#passes.isGood(queueToken!, viewer.userId, concertId);
  }

  /** Refuses unless the token proves a place of this user in the queue of the date's concert, and that place is ACTIVE now. */
  async requirePass(viewer: Viewer, queueToken: string | null, scheduleId: string, countsAttempt: boolean): Promise<void> {
    const concertId = await this.#concertOf(uuidOf('scheduleId', scheduleId));
    const place = this.#provenPlace(viewer, concertId, queueToken);
    if (place === null) throw queueTokenRequired();
    const proof = { concertId, userId: viewer.userId, place };
    // Who reserves is asked each time: nothing of that is worth remembering.
    const remember = countsAttempt ? null : this.#passes.asking(queueToken!, viewer.userId, concertId);
    const check = () => this.store.checkPass(concertId, proof, countsAttempt, this.config.passAttemptsMax);
    let pass = await check();
    if (pass.status === 'LOST' && (await this.#bringBack(concertId, viewer.userId, place, false))) pass = await check();
    if (pass.status === 'ACTIVE') remember?.(pass.remainingMs);
    if (pass.status === 'WAITING') throw queueTokenWaiting();
    if (pass.status === 'ENDED' || pass.status === 'LOST') throw queueTokenExpired();
    if (pass.status === 'LIMITED') throw rateLimited(Math.ceil(pass.remainingMs / 1000), 'This pass allows no more attempts to reserve.');
  }

  /** After a payment was committed: the pass of this place is over (COMPLETED), in Redis and for those who watch. */
  complete(concertId: string, userId: string, place: number): Promise<void> {
    return this.completeAll(concertId, [{ userId, place }]);
  }

  /** The same for payments that were committed together. */
  async completeAll(concertId: string, places: readonly Place[]): Promise<void> {
    const ended = await this.store.end(concertId, 'PAID', places, ENDED_KEPT_MS, this.config.absenceGraceMs);
    for (const { userId } of places) this.#passes.forget(concertId, userId);
    // Nobody who paid waits for what is only told to those who watch.
    if (ended.length > 0) void this.#tellUsers(concertId, ended);
  }

  /** One tick of the admission job, for every queue; a `sparing` one leaves out those that were quiet a moment ago. */
  tick(sparing = false): Promise<void> {
    return this.admission.tick(sparing);
  }

  /** One queue as an operator sees it. */
  async state(concertId: string): Promise<{ waiting: number; active: number; policy: QueuePolicy }> {
    const id = uuidOf('concertId', concertId);
    const concert = await this.transactions.fork().findOne(Concert, { id });
    if (!concert) throw notFound('concert');
    return { ...(await orUnavailable(this.store.count(id))), policy: queuePolicyOf(concert, this.config) };
  }

  setPolicy(concertId: string, change: QueuePolicyChange): Promise<QueuePolicy> {
    const id = uuidOf('concertId', concertId);
    return this.transactions.run(async (em) => {
      const concert = await lockConcert(em, id);
      Object.assign(concert, changedQueuePolicy(concert, change));
      await em.flush();
      return queuePolicyOf(concert, this.config);
    });
  }

  /** Waiting and active in all queues, for /metrics. */
  async totals(): Promise<{ waiting: number; active: number }> {
    const counts = await Promise.all((await this.store.queues()).map((concertId) => this.store.count(concertId)));
    return counts.reduce((sum, count) => ({ waiting: sum.waiting + count.waiting, active: sum.active + count.active }), { waiting: 0, active: 0 });
  }

  /** As of now: of a crowd that joins in one turn the database is asked once. */
  async #salesOf(concertIds: readonly string[]): Promise<(Sale | null)[]> {
    const sales = await salesOf(this.transactions.fork(), [...new Set(concertIds)]);
    return concertIds.map((id) => sales.get(id) ?? null);
  }

  /** Where one stands then is known but for a place that came back. */
  async #takePlace(userId: string, concertId: string, proven: number | null): Promise<Joined | Pick<Joined, 'place'>> {
    const sale = await this.#sales.ask('', concertId);
    // Nobody waits any more, and a place would be taken for nobody.
    if (remainingMs() === 0) throw serviceUnavailable();
    if (!sale) throw notFound('concert');
    const window = joinWindow(sale);
    const join = (old: number | null) => this.store.join(concertId, userId, window === 'open', old);
    let outcome = await join(proven);
    if (outcome === 'LOST') {
      if (await this.#bringBack(concertId, userId, proven!, true)) return { place: proven! };
      outcome = await join(null);
    }
    if (typeof outcome === 'object') {
      if (outcome.wakes) await this.#noteLookedAfter(concertId);
      return outcome;
    }
    throw badInput('concertId', window === 'early' ? 'The queue can be joined from one hour before the sale opens.' : 'The sale has closed.');
  }

  /** One who leaves in the same instant has no place any more. */
  async #positionAt(concertId: string, userId: string, place: number): Promise<QueuePosition> {
    let known: number | null = place;
    for (let readings = 0; readings < READINGS_MAX; readings += 1) {
      const { view, standings, places, isStale } = await this.positions.readHolders(concertId, [{ userId, place: known }], 0);
      if (!isStale) return positionOf(concertId, userId, view, standings[0]!);
      known = places[0]!;
    }
    throw serviceUnavailable();
  }

  async #read(viewer: Viewer, concertId: string, queueToken: string | null): ReturnType<QueuePositions['read']> {
    try {
      return await this.positions.read(concertId, viewer.userId, () => this.#provenPlace(viewer, concertId, queueToken));
    } catch (error) {
      // A concert that is not there has no queue, and no place in it.
      if (error instanceof RequestError && error.code === 'NOT_FOUND') return null;
      throw error;
    }
  }

  /** The place that a queue token proves; null unless it is of this user and concert. */
  #provenPlace(viewer: Viewer, concertId: string, queueToken: string | null): number | null {
    const proof: QueuePlace | null = queueToken === null ? null : this.tokens.verifyQueue(queueToken);
    return proof?.userId === viewer.userId && proof.concertId === concertId ? proof.place : null;
  }

  async #bringBack(concertId: string, userId: string, place: number, replacesNewer: boolean): Promise<boolean> {
    return (await this.returns.bringBack(concertId, [{ userId, place }], replacesNewer))[0]!;
  }

  async #concertOf(scheduleId: string): Promise<string> {
    const known = this.#concertOfSchedule.get(scheduleId);
    if (known) return known;
    const concertId = await this.#concertsAsked.get(scheduleId);
    this.#concertOfSchedule.set(scheduleId, concertId);
    return concertId;
  }

  async #readConcertOf(scheduleId: string): Promise<string> {
    const concertId = await concertOfSchedule(this.transactions.fork(), scheduleId);
    if (!concertId) throw notFound('date');
    return concertId;
  }

  /** The user has left whatever happens here. Unwritten, a pass ends by its time, and a place may come back after a loss of Redis. */
  async #noteLeft(concertId: string, userId: string, place: number): Promise<void> {
    try {
      await this.transactions.run((em) => endPlaces(em, concertId, [{ userId, place }], 'LEFT'));
    } catch (error) {
      this.logger.warn({ err: error, concertId, userId }, 'a place that was left is not yet marked');
    }
  }

  /** Otherwise the next tick does it. */
  async #noteLookedAfter(concertId: string): Promise<void> {
    try {
      await noteBeats(this.transactions.fork(), [{ concertId, beat: 0 }]);
    } catch (error) {
      this.logger.warn({ err: error, concertId }, 'a queue in use is not yet marked');
    }
  }

  #tellUser(concertId: string, userId: string): Promise<void> {
    return this.#tellUsers(concertId, [userId]);
  }

  #tellUsers(concertId: string, users: string[]): Promise<void> {
    return this.pubsub.publish<'queueMoved'>(topics.queueMoved(concertId), { concertId, users, moved: false, heartbeat: false });
  }
}

const standOf = ({ status, rank, passEndsAt, place }: Joined): Stand => ({ status: status === 'ACTIVE' ? 'ACTIVE' : 'WAITING', rank, passEndsAt, place });
