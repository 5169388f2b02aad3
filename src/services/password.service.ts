import { hash, verify, type Options } from '@node-rs/argon2';
import pLimit from 'p-limit';
import { rateLimited } from '../domain/errors.js';

/** Hashes at most a few passwords at once with a bounded line behind them, so that a crowd signing in cannot take the machine from the buyers. */

export const HASHING_MAX = 2;
export const HASH_WAITING_MAX = 50;
/** A line of HASH_WAITING_MAX is worked off in about this time. */
export const HASH_RETRY_AFTER_S = 2;

/** argon2id with OWASP's minimum: 19 MiB, two passes, one lane. */
export const HASH_COST = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const satisfies Options;

/** A hash of the same cost that no password has: an unknown e-mail must take as long as a wrong password. */
export const NOBODYS_HASH = '$argon2id$v=19$m=19456,t=2,p=1$ynGaETkb0WU3jbG/NWhgBA$uxEcSakOUlEXrSXy80jP9O5SfzDeBgrUiVCoweMIHxE';

export class PasswordService {
  readonly #limit = pLimit(HASHING_MAX);

  hash(password: string): Promise<string> {
    return this.#inTurn(() => hash(normalized(password), HASH_COST));
  }

  /** Null stands for the hash of an account that does not exist: false, at the same cost. */
  async verify(passwordHash: string | null, password: string): Promise<boolean> {
    const matches = await this.#inTurn(() => verify(passwordHash ?? NOBODYS_HASH, normalized(password)));
    return matches && passwordHash !== null;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#limit.activeCount + this.#limit.pendingCount >= HASHING_MAX + HASH_WAITING_MAX) throw rateLimited(HASH_RETRY_AFTER_S);
    return this.#limit(work);
  }
}

/** Keyboards and systems compose Hangul and accents differently; the same typed password must be the same bytes. */
const normalized = (password: string): string => password.normalize('NFKC');
