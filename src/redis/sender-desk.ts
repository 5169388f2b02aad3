import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { GRANTED_MS, GrantedUses } from './granted-uses.js';
import { keys } from './keys.js';
import { limited, RATE_WINDOWS_S, type RateLimiter } from './rate-limiter.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';
import type { SessionState } from './session-cache.js';
import { within } from './within.js';

/** Who asks: the network of its address, and for one with a good token its user and session. */
export interface DeskSender {
  network: string;
  userId: string | null;
  /** Null where the session is known: the user is counted whatever Redis remembers of it. */
  sessionId: string | null;
}

/** Senders of one script call: Redis is never busy with it for longer than some tenths of a millisecond. */
export const SENDERS_PER_CALL_MAX = 64;
const REPLIES_PER_SENDER = 5;
const SESSION_STATES: Record<number, SessionState | null> = { 1: 'active', 0: 'revoked', [-1]: null };

const admitScript = new Script<number[]>('senders-admit');

interface Asked extends DeskSender {
  countsAddress: boolean;
  resolve: (state: SessionState | null) => void;
  reject: (error: unknown) => void;
}

/** What one question is to count: itself, and what was used of the grants and not told before. */
interface Counts {
  address: number;
  user: number;
}

/**
 * Counts every operation for its address and its user, and tells what Redis remembers of its session, with one script call for all that came in the same turn.
 * While Redis is away each process counts for itself.
 */
export class SenderDesk {
  readonly #addresses: GrantedUses;
  readonly #users: GrantedUses;
  #waiting: Asked[] = [];
  readonly #report: NodeJS.Timeout;

  constructor(
    private readonly redis: Redis,
    private readonly serverRun: ServerRun,
    private readonly limiter: RateLimiter,
    private readonly logger: Logger,
  ) {
    this.#addresses = new GrantedUses(limiter.addressMax);
    this.#users = new GrantedUses(limiter.userMax);
    this.#report = setInterval(() => void this.report(), GRANTED_MS).unref();
  }

  /** Counts one operation of this process's own grants; false, and nothing counted, where Redis is to be asked. */
  useGranted(network: string, userId: string | null): boolean {
    if (!this.limiter.enabled) return true;
    const now = performance.now();
    if (!this.#addresses.has(network, now) || (userId !== null && !this.#users.has(userId, now))) return false;
    this.#addresses.use(network);
    if (userId !== null) this.#users.use(userId);
    return true;
  }

  /** Counts one operation; RATE_LIMITED where there are none left. Answers what Redis remembers of the session, for which alone the user is counted; null: ask the database. */
  ask(sender: DeskSender): Promise<SessionState | null> {
    return this.#enqueue(sender, true);
  }

  /** For one whose session the database has found good. */
  async countUser(sender: DeskSender): Promise<void> {
    await this.#enqueue({ ...sender, sessionId: null }, false);
  }

  /** Tells Redis what was used of the grants. What cannot be told is told later, while its window lasts. */
  async report(): Promise<void> {
    const now = performance.now();
    const kinds = [this.#addresses.takeAll(now).map((use) => ({ ...use, kind: 'address' as const })), this.#users.takeAll(now).map((use) => ({ ...use, kind: 'user' as const }))].flat();
    for (let from = 0; from < kinds.length; from += SENDERS_PER_CALL_MAX) {
      const part = kinds.slice(from, from + SENDERS_PER_CALL_MAX);
      const names = part.flatMap(({ kind, subject }) => Array.from({ length: 3 }, () => countOf(kind, subject)));
      const args = part.flatMap(({ kind, uses }) => (kind === 'address' ? [uses, 0, 0] : [0, uses, 0]));
      try {
        await within(admitScript.run(this.redis, names, [...this.#limits(), ...args]));
      } catch (error) {
        for (const { kind, subject, uses } of part) this.#grantsOf(kind).putBack(subject, uses);
        this.logger.debug({ err: error }, 'uses not told yet');
      }
    }
  }

  close(): void {
    clearInterval(this.#report);
  }

  #enqueue(sender: DeskSender, countsAddress: boolean): Promise<SessionState | null> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#askForAll());
      this.#waiting.push({ ...sender, countsAddress, resolve, reject });
    });
  }

  #askForAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < waiting.length; from += SENDERS_PER_CALL_MAX) void this.#askFor(waiting.slice(from, from + SENDERS_PER_CALL_MAX));
  }

  async #askFor(senders: Asked[]): Promise<void> {
    const now = performance.now();
    const enabled = this.limiter.enabled;
    const counts = senders.map(({ network, userId, countsAddress }) => ({
      address: enabled && countsAddress ? 1 + this.#addresses.take(network, now) : 0,
      user: enabled && userId !== null ? 1 + this.#users.take(userId, now) : 0,
    }));
    try {
      const replies = await within(this.#call(senders, counts));
      senders.forEach((sender, index) => this.#settle(sender, counts[index]!, replies.slice(index * REPLIES_PER_SENDER)));
    } catch (error) {
      this.logger.debug({ err: error }, 'senders are counted in this process');
      senders.forEach((sender, index) => {
        this.#addresses.putBack(sender.network, Math.max(0, counts[index]!.address - 1));
        if (sender.userId !== null) this.#users.putBack(sender.userId, Math.max(0, counts[index]!.user - 1));
        void this.#countHere(sender);
      });
    }
  }

  async #call(senders: Asked[], counts: Counts[]): Promise<number[]> {
    const run = await this.serverRun.current();
    const names: string[] = [];
    const args: number[] = [...this.#limits()];
    senders.forEach(({ network, userId, sessionId }, index) => {
      const address = countOf('address', network);
      names.push(address, userId === null ? address : countOf('user', userId), sessionId === null ? address : keys.session(run, sessionId));
      args.push(counts[index]!.address, counts[index]!.user, sessionId === null ? 0 : 1);
    });
    return admitScript.run(this.redis, names, args);
  }

  #settle({ network, userId, countsAddress, resolve, reject }: Asked, counts: Counts, replies: number[]): void {
    const [address, addressLeft, state, user, userLeft] = replies as [number, number, number, number, number];
    if (this.limiter.enabled) {
      const now = performance.now();
      // The user was not counted for this question; what others have used of its grant is still to be told.
      if (userId !== null && user === 0) this.#users.putBack(userId, counts.user - 1);
      if (countsAddress) {
        this.#addresses.learn(network, address, addressLeft, now);
        if (address > this.limiter.addressMax) return reject(limited(addressLeft));
      }
      if (userId !== null && user > 0) {
        this.#users.learn(userId, user, userLeft, now);
        if (user > this.limiter.userMax) return reject(limited(userLeft));
      }
    }
    resolve(SESSION_STATES[state] ?? null);
  }

  /** The session is not known: where it is good, its user is counted by `countUser`. */
  async #countHere({ network, userId, sessionId, countsAddress, resolve, reject }: Asked): Promise<void> {
    try {
      if (countsAddress) await this.limiter.consumeHere('address', network);
      if (userId !== null && sessionId === null) await this.limiter.consumeHere('user', userId);
      resolve(null);
    } catch (error) {
      reject(error);
    }
  }

  #limits(): [number, number, number, number] {
    return [this.limiter.addressMax, RATE_WINDOWS_S.address * 1000, this.limiter.userMax, RATE_WINDOWS_S.user * 1000];
  }

  #grantsOf(kind: 'address' | 'user'): GrantedUses {
    return kind === 'address' ? this.#addresses : this.#users;
  }
}

const countOf = (kind: 'address' | 'user', subject: string): string => `${keys.rateLimit()}:${kind}:${subject}`;
