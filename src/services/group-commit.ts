import { isRetried, wasCutShort, wasRolledBack } from '../database/transaction.js';
import { remainingMs, workedOn, workingOn } from '../domain/deadline.js';
import { serviceUnavailable } from '../domain/errors.js';

/**
 * One ordered writer: requests that arrive while a transaction is under way share the next one, so that many of them cost one commit. Nobody waits for a timer. Where many wait, the
 * next one begins before the first has ended. Each request has its own outcome: what a batch cannot settle at once for one of them, because somebody else has its rows or because the
 * batch failed, is done again in a transaction of that request alone, beside the batches that follow. Who is alone waits for a lock only briefly, and then behind the others: nobody's
 * lock keeps the few that run beside.
 */

/** Requests of one transaction. */
export const BATCH_MAX = 128;
/** Batches under way: while the database has one, the process prepares another. They change no row in common. */
export const BATCHES_MAX = 2;
/** Fewer than so many wait for the batch that is under way: what a batch costs however small it is is better shared. */
export const BATCH_MIN_BESIDE = 24;
/** Requests that have no outcome yet; who comes then is turned away. */
export const WAITING_MAX = 4096;
/** Transactions of one request each that run beside the batches. */
export const ALONE_MAX = 4;

export interface Touching {
  /** What no two requests of a batch may both touch: the second waits for the next one, and who touches what the second does waits behind it. */
  touches: readonly string[];
}

/** What became of a request in its batch; `aside` where a row was not to be had at once. */
export type Outcome<Answer> = { answer: Answer } | { error: unknown } | 'aside';

/** One transaction. `alone` is given one request, and may wait for the locks of others, briefly: it is tried again while its caller waits. */
export type Write<Request, Answer> = (requests: readonly Request[], alone: boolean) => Promise<readonly Outcome<Answer>[]>;

interface Entry<Request, Answer> {
  request: Request;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
  /** What it is a part of: a batch runs as its first request. */
  on: unknown;
  /** When nobody waits for it any more, by performance.now(). */
  deadline: number;
}

export class GroupCommit<Request extends Touching, Answer> {
  #waiting: Entry<Request, Answer>[] = [];
  /** Not tried alone yet. */
  readonly #aside: Entry<Request, Answer>[] = [];
  /** Tried alone in vain. */
  readonly #tried: Entry<Request, Answer>[] = [];
  #triedIsNext = false;
  /** Touched by what is under way. */
  readonly #busy = new Set<string>();
  #unsettled = 0;
  #alone = 0;
  #running = 0;
  #starting = false;
  #closed = false;
  readonly #drained = Promise.withResolvers<void>();

  constructor(private readonly write: Write<Request, Answer>) {}

  async submit(request: Request): Promise<Answer> {
    if (this.#closed || this.#unsettled >= WAITING_MAX) throw serviceUnavailable();
    this.#unsettled += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject, on: workedOn(), deadline: performance.now() + remainingMs() });
      this.#start();
    });
  }

  /** Takes nobody new, and resolves when everybody has an outcome. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#unsettled === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  /** After what this turn of the process has still to read: those who arrive together go together. */
  #start(): void {
    if (this.#starting || this.#waiting.length < this.#enough()) return;
    this.#starting = true;
    setImmediate(() => this.#turn());
  }

  #enough(): number {
    if (this.#running === BATCHES_MAX) return Infinity;
    return this.#running === 0 ? 1 : BATCH_MIN_BESIDE;
  }

  #turn(): void {
    this.#starting = false;
    if (this.#waiting.length < this.#enough()) return;
    const share = Math.ceil(this.#waiting.length / (BATCHES_MAX - this.#running));
    const batch = this.#nextBatch(Math.min(BATCH_MAX, Math.max(share, BATCH_MIN_BESIDE)));
    // Who is left after an empty turn waits for one that is under way, and is asked for again by its end.
    if (batch.length === 0) return;
    void this.#run(batch);
    this.#start();
  }

  async #run(batch: readonly Entry<Request, Answer>[]): Promise<void> {
    this.#running += 1;
    await this.#writeTogether(batch);
    this.#running -= 1;
    this.#start();
  }

  /** In the order of arrival. */
  #nextBatch(max: number): Entry<Request, Answer>[] {
    const now = performance.now();
    const batch: Entry<Request, Answer>[] = [];
    const left: Entry<Request, Answer>[] = [];
    const behind = new Set<string>();
    for (const entry of this.#waiting) {
      const { touches } = entry.request;
      if (batch.length === max) left.push(entry);
      else if (entry.deadline <= now) this.#settle(entry, { error: serviceUnavailable() });
      else if (touches.some((key) => this.#busy.has(key) || behind.has(key))) {
        for (const key of touches) behind.add(key);
        left.push(entry);
      } else {
        for (const key of touches) this.#busy.add(key);
        batch.push(entry);
      }
    }
    this.#waiting = left;
    return batch;
  }

  async #writeTogether(batch: readonly Entry<Request, Answer>[]): Promise<void> {
    const deadline = Math.max(...batch.map((entry) => entry.deadline));
    const requests = batch.map(({ request }) => request);
    try {
      const outcomes = await workingOn(batch[0]!.on, deadline - performance.now(), () => this.write(requests, false));
      batch.forEach((entry, index) => this.#end(entry, outcomes[index]!));
    } catch (error) {
      // Whose fault it was shows when each is alone. What may have been committed is not written again.
      const again = wasRolledBack(error) && (batch.length > 1 || isRetried(error));
      for (const entry of batch) this.#end(entry, again ? 'aside' : { error });
    }
  }

  #end(entry: Entry<Request, Answer>, outcome: Outcome<Answer>): void {
    if (outcome === 'aside') {
      this.#aside.push(entry);
      return this.#writeAside();
    }
    for (const key of entry.request.touches) this.#busy.delete(key);
    this.#settle(entry, outcome);
  }

  #settle({ resolve, reject }: Entry<Request, Answer>, outcome: Exclude<Outcome<Answer>, 'aside'>): void {
    this.#unsettled -= 1;
    if ('error' in outcome) reject(outcome.error);
    else resolve(outcome.answer);
    if (this.#closed && this.#unsettled === 0) this.#drained.resolve();
  }

  #writeAside(): void {
    while (this.#alone < ALONE_MAX && this.#aside.length + this.#tried.length > 0) void this.#writeAlone(this.#nextAlone());
  }

  /** By turns: neither waits for the other to be empty. */
  #nextAlone(): Entry<Request, Answer> {
    const [first, second] = this.#triedIsNext ? [this.#tried, this.#aside] : [this.#aside, this.#tried];
    this.#triedIsNext = !this.#triedIsNext;
    return first.shift() ?? second.shift()!;
  }

  async #writeAlone(entry: Entry<Request, Answer>): Promise<void> {
    this.#alone += 1;
    try {
      if (entry.deadline <= performance.now()) throw serviceUnavailable();
      const [outcome] = await workingOn(entry.on, entry.deadline - performance.now(), () => this.write([entry.request], true));
      if (outcome === 'aside') this.#tried.push(entry);
      else this.#end(entry, outcome!);
    } catch (error) {
      if (wasCutShort(error)) this.#tried.push(entry);
      else this.#end(entry, { error });
    }
    this.#alone -= 1;
    this.#writeAside();
    this.#start();
  }
}
