import type { ReadSet } from '../domain/read-set.js';
import type { KnownOperation } from './known-operation.js';
import type { WrittenRows } from './row-answers.js';

/** Answers that are kept take at most so much, with the variables they answer; the longest kept go first. One that is larger than its part is given once and not kept. */
export const SHARED_ANSWERS_MAX_BYTES = 64 * 1024 * 1024;
const SHARE_OF_ONE = 0.5;
/** However small they are. */
export const SHARED_ANSWERS_MAX = 10_000;
/** Written as JSON. Longer ones are nothing that many send alike. */
export const SHARED_VARIABLES_MAX_LENGTH = 1024;
const BYTES_PER_CHARACTER = 2;
/** What a row costs beside its text: the object of the text and its places in two lists. */
const BYTES_PER_ROW = 32;

/** The bytes of an answer, and what they were read from; null where nothing can change them. */
export interface SharedBytes {
  body: Buffer;
  reads: ReadSet | null;
  /** Of an answer that is a list of rows: what the next one is made from. */
  written?: WrittenRows;
}

export class SharedAnswer {
  #bytes: SharedBytes | null = null;
  #written: WrittenRows | null = null;
  #making: Promise<SharedBytes | null> | null = null;

  constructor(
    readonly operation: KnownOperation,
    readonly key: string,
    private readonly answers: SharedAnswers,
  ) {}

  /** Rows of the last answer, which may be out of date. */
  get written(): WrittenRows | null {
    return this.#written;
  }

  /** Undefined when there is none, or something that it was read from has changed. */
  current(): Buffer | undefined {
    return isCurrent(this.#bytes) ? this.#bytes.body : undefined;
  }

  /**
   * The answer that others have or are making; `make` where nobody is. Who comes while it is made gets it only if nothing of it has changed meanwhile: it may
   * have been read before they did something themselves. Otherwise all of them wait for the next, which is begun after they came. Null where there is none to share.
   */
  async shared(make: () => Promise<SharedBytes | null>): Promise<Buffer | null> {
    const ready = this.current();
    if (ready) return ready;
    const others = this.#making;
    if (!others) return (await this.#begin(make))?.body ?? null;
    const theirs = await others.catch(() => null);
    if (theirs === null) return null;
    // Its time does not matter to who has waited for it: it was read just now.
    if (isCurrent(theirs, -Infinity)) return theirs.body;
    const next = this.#making ? await this.#making.catch(() => null) : await this.#begin(make);
    return next?.body ?? null;
  }

  drop(): void {
    this.#bytes = this.#written = null;
  }

  #begin(make: () => Promise<SharedBytes | null>): Promise<SharedBytes | null> {
    return (this.#making = this.#keptOf(make));
  }

  /** Nobody who waits for it finds it still being made afterwards. */
  async #keptOf(make: () => Promise<SharedBytes | null>): Promise<SharedBytes | null> {
    try {
      const bytes = await make();
      // Rows are of use also when they have changed meanwhile.
      const isKept = bytes !== null && (bytes.written !== undefined || isCurrent(bytes)) && this.answers.keep(this, bytes);
      this.#bytes = isKept && isCurrent(bytes) ? bytes : null;
      this.#written = (isKept && bytes.written) || null;
      return bytes;
    } finally {
      this.#making = null;
    }
  }
}

const isCurrent = (bytes: SharedBytes | null, now = performance.now()): bytes is SharedBytes => bytes !== null && (bytes.reads === null || bytes.reads.isCurrent(now));

/** All answers that are kept, by operation and variables. */
export class SharedAnswers {
  readonly #answers = new Map<KnownOperation, Map<string, SharedAnswer>>();
  /** With their sizes, the longest kept first. */
  readonly #kept = new Map<SharedAnswer, number>();
  #bytes = 0;

  of(operation: KnownOperation, variables: unknown): SharedAnswer {
    const key = JSON.stringify(variables);
    const known = this.#answers.get(operation)?.get(key);
    return known ?? new SharedAnswer(operation, key, this);
  }

  /** False for one that is too large. */
  keep(answer: SharedAnswer, { body, written }: SharedBytes): boolean {
    this.#forget(answer);
    const bytes = body.length + BYTES_PER_CHARACTER * answer.key.length + (written ? body.length + BYTES_PER_ROW * written.rows.length : 0);
    if (answer.key.length > SHARED_VARIABLES_MAX_LENGTH || bytes > SHARED_ANSWERS_MAX_BYTES * SHARE_OF_ONE) return false;
    const ofOperation = this.#answers.get(answer.operation) ?? new Map<string, SharedAnswer>();
    this.#answers.set(answer.operation, ofOperation.set(answer.key, answer));
    this.#kept.set(answer, bytes);
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= SHARED_ANSWERS_MAX_BYTES && this.#kept.size <= SHARED_ANSWERS_MAX) break;
      oldest.drop();
      this.#forget(oldest);
    }
    return true;
  }

  #forget(answer: SharedAnswer): void {
    const ofOperation = this.#answers.get(answer.operation);
    if (ofOperation?.get(answer.key) === answer) ofOperation.delete(answer.key);
    if (ofOperation?.size === 0) this.#answers.delete(answer.operation);
    this.#bytes -= this.#kept.get(answer) ?? 0;
    this.#kept.delete(answer);
  }
}
