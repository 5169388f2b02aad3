import { LockMode, type EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import type { Config } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { Session } from '../database/entities/session.entity.js';
import { User } from '../database/entities/user.entity.js';
import { deleteOverSessions, revokeSession, sessionsRemainingMs } from '../database/repositories/session.repository.js';
import type { Transactions } from '../database/transaction.js';
import { byDeadline, remainingMs, withoutDeadline } from '../domain/deadline.js';
import { unauthenticated } from '../domain/errors.js';
import { refreshVerdict } from '../domain/session.js';
import type { Viewer } from '../domain/viewer.js';
import { MicroBatch } from '../redis/micro-batch.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { SessionCache, SessionState } from '../redis/session-cache.js';
import { SessionMemory } from './session-memory.js';
import type { TokenService } from './token.service.js';

/** Sessions that are asked for in one statement. */
const SESSIONS_TOGETHER = 64;
const SWEEP_BATCH = 1000;
/** What is left waits for the next run. */
const SWEEP_BATCHES_MAX = 10;

export interface IssuedSession {
  accessToken: string;
  accessTokenExpiresAt: Date;
  refreshToken: string;
  user: User;
}

/**
 * A session is a row; Redis only remembers what the row said. Of a family of refresh tokens one is good at a time, and a revoked session
 * stays dead whatever happens to Redis.
 */
export class SessionService {
  readonly #memory = new SessionMemory();
  readonly #states = new MicroBatch<Viewer, SessionState>((_, viewers) => withoutDeadline(() => this.#statesOf(viewers)), SESSIONS_TOGETHER);

  constructor(
    private readonly transactions: Transactions,
    private readonly cache: SessionCache,
    private readonly pubsub: PubSub,
    private readonly tokens: TokenService,
    private readonly config: Config,
  ) {}

  /** Starts a family of refresh tokens for a user who has proven who they are; inside the caller's transaction, if there is one. */
  async start(user: User, em: EntityManager = this.transactions.fork()): Promise<IssuedSession> {
    const now = await databaseNow(em);
    const session = { id: uuid(), userId: user.id, generation: 1, rotatedAt: now, expiresAt: this.#expiryFrom(now), revokedAt: null, createdAt: now };
    await em.insert(Session, session);
    return this.#issue(session, user);
  }

  /** The row's lock makes requests with the same token come one after the other: one rotates, the others are told what it became. */
  async refresh(refreshToken: string): Promise<IssuedSession> {
    const proof = this.tokens.verifyRefresh(refreshToken);
    if (!proof) throw unauthenticated();
    const outcome = await this.transactions.run(async (em) => {
      const session = await em.findOne(Session, proof.sessionId, { lockMode: LockMode.PESSIMISTIC_WRITE });
      if (!session) return 'dead';
      const now = await databaseNow(em);
      const verdict = refreshVerdict(session, proof.generation, now);
      if (verdict === 'dead' || verdict === 'reused') return verdict;
      if (verdict === 'rotate') Object.assign(session, { generation: session.generation + 1, rotatedAt: now, expiresAt: this.#expiryFrom(now) });
      return this.#issue(session, await em.findOneOrFail(User, session.userId));
    });
    // Once reused, always: generations only grow.
    if (outcome === 'reused') await this.#revoke(proof.sessionId);
    if (typeof outcome === 'string') throw unauthenticated();
    return outcome;
  }

  async signOut(viewer: Viewer): Promise<boolean> {
    await this.#revoke(viewer.sessionId);
    return true;
  }

  /** The viewer of an access token, or null when it is forged, expired or revoked. */
  async authenticate(accessToken: string): Promise<Viewer | null> {
    const viewer = this.viewerOf(accessToken);
    if (!viewer) return null;
    const state = (await this.cache.read(viewer.sessionId)) ?? (await this.stateInDatabase(viewer));
    return state === 'active' ? viewer : null;
  }

  /** What the token says, if it was signed here and has not ended; its session may be over. */
  viewerOf(accessToken: string): Viewer | null {
    return this.#memory.viewerOf(accessToken, (token) => this.tokens.verifyAccess(token));
  }

  /** Whether this process has learned within the last second that the session is good, and nothing else since. */
  isKnownGood(sessionId: string): boolean {
    return this.#memory.isGood(sessionId);
  }

  /** Before somebody else asks for its state. Answers how to remember for a second that it is good. */
  asking(sessionId: string): () => void {
    return this.#memory.asking(sessionId);
  }

  /** Revoked by this process, and Redis does not know it yet. */
  isRevokedHere(sessionId: string): boolean {
    return this.cache.isRevokedHere(sessionId);
  }

  /** The sweeper: forgets sessions that are over; without a row they are as dead. Answers how many. */
  async sweep(): Promise<number> {
    let deleted = 0;
    for (let batch = 0; batch < SWEEP_BATCHES_MAX; batch += 1) {
      const inBatch = await deleteOverSessions(this.transactions.fork(), SWEEP_BATCH);
      deleted += inBatch;
      if (inBatch < SWEEP_BATCH) break;
    }
    return deleted;
  }

  /** What this process remembers is taken away with the word of a sign-out; without it, a second later. */
  async forgetRevoked(): Promise<void> {
    await this.onRevoked((sessionId) => this.#memory.forget(sessionId));
  }

  /** Calls the listener with the id of every session that is revoked, on whatever instance. All listeners share one subscription. */
  onRevoked(listener: (sessionId: string) => void): Promise<() => void> {
    return this.pubsub.listen<'sessionRevoked'>(topics.sessionRevoked(), ({ sessionId }) => listener(sessionId));
  }

  /** For what Redis does not know. Of a crowd that comes in one turn the database is asked once. */
  stateInDatabase(viewer: Viewer): Promise<SessionState> {
    return byDeadline(this.#states.ask('', viewer), remainingMs());
  }

  async #statesOf(viewers: readonly Viewer[]): Promise<SessionState[]> {
    const remaining = await sessionsRemainingMs(this.transactions.fork(), viewers);
    return viewers.map(({ sessionId }, index) => {
      const remainingMs = remaining[index]!;
      const state = remainingMs > 0 ? 'active' : 'revoked';
      this.cache.remember(sessionId, state, remainingMs > 0 ? remainingMs : Infinity);
      return state;
    });
  }

  async #revoke(sessionId: string): Promise<void> {
    await this.cache.doubt(sessionId);
    this.#memory.forget(sessionId);
    await this.transactions.run((em) => revokeSession(em, sessionId));
    this.#memory.forget(sessionId);
    await this.cache.revoke(sessionId);
    void this.pubsub.publish<'sessionRevoked'>(topics.sessionRevoked(), { sessionId });
  }

  /** From the row alone, so that repeating a refresh gives the very same tokens. */
  async #issue(session: Pick<Session, 'id' | 'generation' | 'rotatedAt'>, user: User): Promise<IssuedSession> {
    const { token, expiresAt } = this.tokens.signAccess(user, session.id, session.rotatedAt);
    return { accessToken: token, accessTokenExpiresAt: expiresAt, refreshToken: this.tokens.signRefresh(session.id, session.generation), user };
  }

  /** Every rotation starts the time anew: a session ends when it was not refreshed for this long. */
  #expiryFrom(now: Date): Date {
    return new Date(now.getTime() + this.config.refreshTokenTtlMs);
  }
}
