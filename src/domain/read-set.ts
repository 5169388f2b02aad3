/** Something that an answer was read from: its version rises with every change of it, also when it is dropped. */
export interface ReadSource {
  readonly version: number;
}

/**
 * What an answer was read from, so that it may be given again for as long as nothing of that has changed. Only what is read from memory is noted here:
 * an answer that also holds something else must not be kept, whatever this says.
 */
export class ReadSet {
  readonly #sources = new Map<ReadSource, number>();
  #validUntil = Infinity;

  /** Call it in the same turn as the reading. `validUntil`: when time alone changes what was read, or it is to be looked at again; by `performance.now()`. */
  depend(source: ReadSource, validUntil = Infinity): void {
    // Read twice with a change in between: the first reading is the one that is out of date.
    if (!this.#sources.has(source)) this.#sources.set(source, source.version);
    if (validUntil < this.#validUntil) this.#validUntil = validUntil;
  }

  /** False for an answer of which nothing was noted: nobody would ever know that it has changed. */
  isCurrent(now: number): boolean {
    if (this.#sources.size === 0 || now >= this.#validUntil) return false;
    for (const [source, version] of this.#sources) if (source.version !== version) return false;
    return true;
  }
}
