/**
 * Compiling stops the process meanwhile, for up to 85 ms where a document is as large as it may be. So much of the time may go into the documents of clients,
 * whatever they send; the rest of them is interpreted until there is time.
 */
export const COMPILE_SHARE = 0.05;
/** What was not used is saved up to this: enough for the documents of one client that is new. */
export const COMPILE_SAVED_MAX_MS = 250;

export class CompileBudget {
  #leftMs = COMPILE_SAVED_MAX_MS;
  #at: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.#at = now();
  }

  /** Does the work if there is time for it; undefined where there is none now. It may take more than is left, which is then missing to the next. */
  spend<T>(work: () => T): T | undefined {
    const from = this.now();
    this.#leftMs = Math.min(COMPILE_SAVED_MAX_MS, this.#leftMs + (from - this.#at) * COMPILE_SHARE);
    this.#at = from;
    if (this.#leftMs <= 0) return undefined;
    try {
      return work();
    } finally {
      this.#leftMs -= this.now() - from;
    }
  }
}
