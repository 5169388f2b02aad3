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
const REPLIES_PER_SENDER = 4;
const SESSION_STATES: Record<string, SessionState> = { '1': 'active', '0': 'revoked' };

const admitScript = new Script<string>('senders-admit');

interface Asked extends Counted {
  countsAddress: boolean;
  resolve: (state: SessionState | null) => void;
  reject: (error: unknown) => void;
}

/** What one question is to count: itself, and what was used of the grants and not told before. */
interface Counts {
  address: number;
  user: number;
}

/** One who is counted in a script call. */
interface Counted extends DeskSender {
  counts: Counts;
}

/** What Redis has counted, and remembers of the session. */
interface Verdict {
  address: number;
  addressLeft: number;
  state: SessionState | null;
  user: number;
  userLeft: number;
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
      const counted = part.map(({ kind, subject, uses }): Counted =>
        kind === 'address'
          ? { network: subject, userId: null, sessionId: null, counts: { address: uses, user: 0 } }
          : { network: '', userId: subject, sessionId: null, counts: { address: 0, user: uses } },
      );
      try {
        await within(this.#call(counted, ''));
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
      const { network, userId, sessionId } = sender;
      this.#waiting.push({ network, userId, sessionId, counts: { address: 0, user: 0 }, countsAddress, resolve, reject });
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
    for (const sender of senders) {
      const { network, userId, countsAddress, counts } = sender;
      if (enabled && countsAddress) counts.address = 1 + this.#addresses.take(network, now);
      if (enabled && userId !== null) counts.user = 1 + this.#users.take(userId, now);
    }
    try {
      const verdicts = await within(this.#runAndCall(senders));
      for (const [index, sender] of senders.entries()) this.#settle(sender, verdicts[index]!);
    } catch (error) {
      this.logger.debug({ err: error }, 'senders are counted in this process');
      for (const sender of senders) {
        this.#addresses.putBack(sender.network, Math.max(0, sender.counts.address - 1));
        if (sender.userId !== null) this.#users.putBack(sender.userId, Math.max(0, sender.counts.user - 1));
        void this.#countHere(sender);
      }
    }
  }

  async #runAndCall(senders: readonly Counted[]): Promise<Verdict[]> {
    return this.#call(senders, await this.serverRun.current());
  }

  /** A crowd comes from few addresses: each is counted once for all of its senders. */
  async #call(senders: readonly Counted[], run: string): Promise<Verdict[]> {
    const uses = new Map<string, number>();
    for (const { network, counts } of senders) if (counts.address > 0) uses.set(network, (uses.get(network) ?? 0) + counts.address);
    const networks = [...uses.keys()];
    const names = networks.map((network) => countOf('address', network));
    let asked = '';
    for (const { network, userId, sessionId, counts } of senders) {
      const user = userId === null ? keys.rateLimit() : countOf('user', userId);
      names.push(user, sessionId === null ? user : keys.session(run, sessionId));
      asked += `${counts.address === 0 ? 0 : networks.indexOf(network) + 1} ${counts.address} ${counts.user} ${sessionId === null ? 0 : 1} `;
    }
    const reply = await admitScript.run(this.redis, names, [...this.#limits(), asked, ...uses.values()]);
    const numbers = reply.split(' ');
    return senders.map(({ network, counts }, index): Verdict => {
      const at = networks.length + index * REPLIES_PER_SENDER;
      return {
        address: Number(numbers[at]),
        addressLeft: counts.address === 0 ? 0 : Number(numbers[networks.indexOf(network)]),
        state: SESSION_STATES[numbers[at + 1]!] ?? null,
        user: Number(numbers[at + 2]),
        userLeft: Number(numbers[at + 3]),
      };
    });
  }

  #settle({ network, userId, countsAddress, counts, resolve, reject }: Asked, { address, addressLeft, state, user, userLeft }: Verdict): void {
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
    resolve(state);
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
