import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes, RLWrapperTimeouts } from 'rate-limiter-flexible';
import type { Config } from '../config.js';
import { networkOf } from '../domain/address.js';
import { rateLimited } from '../domain/errors.js';
import { keys } from './keys.js';
import { REDIS_PATIENCE_MS } from './within.js';

/**
 * Nobody gets more than a limit's number of uses in its window, counted over all instances in Redis. While Redis is away every process
 * counts for itself, so that a lost Redis neither opens the doors nor closes them.
 */

/** Seconds a window lasts; it begins with the first use. */
export const RATE_WINDOWS_S = { user: 10, address: 10, signIn: 60, signUp: 3600 } as const;
export type RateLimitKind = keyof typeof RATE_WINDOWS_S;
/** Kinds whose subject is an address. */
const BY_NETWORK: ReadonlySet<RateLimitKind> = new Set(['address', 'signUp']);

export class RateLimiter {
  readonly enabled: boolean;
  readonly addressMax: number;
  readonly userMax: number;
  readonly #limiters: Record<RateLimitKind, RLWrapperTimeouts>;
  readonly #inProcess = {} as Record<RateLimitKind, RateLimiterMemory>;

  constructor(redis: Redis, limits: Config['rateLimit']) {
    const limiterOf = (kind: RateLimitKind, points: number): RLWrapperTimeouts => {
      const window = { points, duration: RATE_WINDOWS_S[kind], keyPrefix: `${keys.rateLimit()}:${kind}` };
      this.#inProcess[kind] = new RateLimiterMemory(window);
      const limiter = new RateLimiterRedis({ ...window, storeClient: redis, rejectIfRedisNotReady: true, insuranceLimiter: this.#inProcess[kind] });
      return new RLWrapperTimeouts({ limiter, timeoutMs: REDIS_PATIENCE_MS });
    };
    this.enabled = limits.enabled;
    this.addressMax = limits.addressMax;
    this.userMax = limits.userMax;
    this.#limiters = {
      user: limiterOf('user', limits.userMax),
      address: limiterOf('address', limits.addressMax),
      signIn: limiterOf('signIn', limits.signInMax),
      signUp: limiterOf('signUp', limits.signUpMax),
    };
  }

  /** Counts one use; RATE_LIMITED, with the seconds until the window ends, when there are none left. */
  async consume(kind: RateLimitKind, subject: string): Promise<void> {
    if (this.enabled) await orLimited(this.#limiters[kind].consume(BY_NETWORK.has(kind) ? networkOf(subject) : subject));
  }

  /** The same in this process alone, where Redis has just not answered. */
  async consumeHere(kind: RateLimitKind, subject: string): Promise<void> {
    if (this.enabled) await orLimited(this.#inProcess[kind].consume(subject));
  }
}

async function orLimited(use: Promise<unknown>): Promise<void> {
  try {
    await use;
  } catch (rejection) {
    if (!(rejection instanceof RateLimiterRes)) throw rejection;
    throw limited(rejection.msBeforeNext);
  }
}

export const limited = (msLeft: number) => rateLimited(Math.max(1, Math.ceil(msLeft / 1000)));
