import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { Concert } from '../database/entities/concert.entity.js';
import { lockConcert } from '../database/repositories/concert.repository.js';
import { concertExists, concertOfSchedule, endPass, saleOf, takeQueueEpoch } from '../database/repositories/queue.repository.js';
import type { Transactions } from '../database/transaction.js';
import { badInput, notFound, queueTokenExpired, queueTokenRequired, queueTokenWaiting, rateLimited, serviceUnavailable } from '../domain/errors.js';
import { uuidOf } from '../domain/input.js';
import { changedQueuePolicy, queuePolicyOf, type QueuePolicyChange } from '../domain/queue-policy.js';
import { ENDED_KEPT_MS, joinWindow, type QueuePolicy, type QueuePosition } from '../domain/queue.js';
import type { Viewer } from '../domain/viewer.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { QueueStore } from '../redis/queue-store.js';
import { orUnavailable } from '../redis/unavailable.js';
import type { QueueAdmission } from './queue-admission.js';
import type { QueuePositions } from './queue-positions.js';
import type { QueueRooms } from './queue-room.js';
import type { TokenService } from './token.service.js';

/** Dates whose concert is remembered; it never changes. */
const SCHEDULES_KNOWN_MAX = 10_000;

/**
 * The waiting room: places in the order in which joins were accepted, one place or pass per user and concert, and no way past it without an
 * ACTIVE pass. Redis holds the line; each pass is a row before it is anyone's.
 */
export class QueueService {
  readonly #concertOfSchedule = new Map<string, string>();
  readonly #epochsBeginning = new Map<string, Promise<void>>();

  constructor(
    private readonly transactions: Transactions,
    private readonly store: QueueStore,
    private readonly positions: QueuePositions,
    private readonly rooms: QueueRooms,
    private readonly admission: QueueAdmission,
    private readonly pubsub: PubSub,
    private readonly tokens: TokenService,
    private readonly config: Config['queue'],
    private readonly logger: Logger,
  ) {}

  async join(viewer: Viewer, concertId: string): Promise<{ token: string; position: QueuePosition }> {
    const concert = uuidOf('concertId', concertId);
    const place = await this.#takePlace(viewer.userId, concert);
    // One who leaves in the same instant has no place any more.
    const [position] = await this.positions.readHolders(concert, [viewer.userId], true);
    const token = await this.tokens.signQueue({ concertId: concert, userId: viewer.userId, place }, new Date());
    return { token, position: position! };
  }

  async leave(viewer: Viewer, concertId: string): Promise<boolean> {
    const concert = uuidOf('concertId', concertId);
    const left = await orUnavailable(this.store.leave(concert, viewer.userId, ENDED_KEPT_MS));
    if (!left) {
      if (!(await concertExists(this.transactions.fork(), concert))) throw notFound('concert');
      return false;
    }
    if (left.wasActive) await this.#noteLeft(concert, viewer.userId, left.place);
    await this.#tellUser(concert, viewer.userId);
    return true;
  }

  /** Null if the user never joined, or an hour after the end. Asking counts as being there. */
  async position(viewer: Viewer, concertId: string): Promise<QueuePosition | null> {
    return this.positions.read(uuidOf('concertId', concertId), viewer.userId, true);
  }

  async watch(viewer: Viewer, concertId: string): Promise<AsyncIterableIterator<QueuePosition>> {
    const concert = uuidOf('concertId', concertId);
    // Also tells at once that Redis is away: listening would wait for it.
    if (!(await this.positions.read(concert, viewer.userId, true))) throw queueTokenRequired();
    return this.rooms.watch(concert, viewer.userId);
  }

  /** Refuses unless the token proves a place of this user in the queue of the date's concert, and that place is ACTIVE now. */
  async requirePass(viewer: Viewer, queueToken: string | null, scheduleId: string, countsAttempt: boolean): Promise<void> {
    const concertId = await this.#concertOf(uuidOf('scheduleId', scheduleId));
    const proof = queueToken === null ? null : await this.tokens.verifyQueue(queueToken);
    if (!proof || proof.userId !== viewer.userId || proof.concertId !== concertId) throw queueTokenRequired();
    const pass = await orUnavailable(this.store.checkPass(concertId, proof, countsAttempt, this.config.passAttemptsMax));
    if (pass.status === 'WAITING') throw queueTokenWaiting();
    if (pass.status === 'ENDED') throw queueTokenExpired();
    if (pass.status === 'LIMITED') throw rateLimited(Math.ceil(pass.remainingMs / 1000), 'This pass allows no more attempts to reserve.');
  }

  /** After a payment was committed: the pass of this place is over (COMPLETED), in Redis and for those who watch. */
  async complete(concertId: string, userId: string, place: number): Promise<void> {
    const ended = await this.store.end(concertId, 'PAID', [{ userId, place }], ENDED_KEPT_MS, this.config.absenceGraceMs);
    if (ended.length > 0) await this.#tellUser(concertId, userId);
  }

  /** One tick of the admission job, for every queue. */
  tick(): Promise<void> {
    return this.admission.tick();
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

  async #takePlace(userId: string, concertId: string): Promise<number> {
    const sale = await saleOf(this.transactions.fork(), concertId);
    if (!sale) throw notFound('concert');
    const window = joinWindow(sale);
    let outcome = await orUnavailable(this.store.join(concertId, userId, window === 'open'));
    if (outcome === 'UNCOUNTED') {
      await this.#beginEpoch(concertId);
      outcome = await orUnavailable(this.store.join(concertId, userId, true));
    }
    if (typeof outcome === 'object') return outcome.place;
    // Redis has lost the queue once more, just now.
    if (outcome === 'UNCOUNTED') throw serviceUnavailable();
    throw badInput('concertId', window === 'early' ? 'The queue can be joined from one hour before the sale opens.' : 'The sale has closed.');
  }

  /** A queue whose counter is new or lost counts in an epoch that nobody had before, so that newcomers stand behind every place ever given. */
  #beginEpoch(concertId: string): Promise<void> {
    const beginning = this.#epochsBeginning.get(concertId);
    if (beginning) return beginning;
    // A crowd that finds the counter lost takes one epoch from the database, not one each.
    const begin = this.transactions
      .run((em) => takeQueueEpoch(em, concertId))
      .then((epoch) => orUnavailable(this.store.beginEpoch(concertId, epoch)))
      .finally(() => this.#epochsBeginning.delete(concertId));
    this.#epochsBeginning.set(concertId, begin);
    return begin;
  }

  async #concertOf(scheduleId: string): Promise<string> {
    const known = this.#concertOfSchedule.get(scheduleId);
    if (known) return known;
    const concertId = await concertOfSchedule(this.transactions.fork(), scheduleId);
    if (!concertId) throw notFound('date');
    if (this.#concertOfSchedule.size >= SCHEDULES_KNOWN_MAX) this.#concertOfSchedule.clear();
    this.#concertOfSchedule.set(scheduleId, concertId);
    return concertId;
  }

  /** The user has left whatever happens here: a row that stays open ends by its time. */
  async #noteLeft(concertId: string, userId: string, place: number): Promise<void> {
    try {
      await this.transactions.run((em) => endPass(em, { concertId, userId, place }, 'LEFT'));
    } catch (error) {
      this.logger.warn({ err: error, concertId, userId }, 'a pass that was left is not yet marked');
    }
  }

  #tellUser(concertId: string, userId: string): Promise<void> {
    return this.pubsub.publish<'queueMoved'>(topics.queueMoved(concertId), { concertId, users: [userId], moved: false, heartbeat: false });
  }
}
