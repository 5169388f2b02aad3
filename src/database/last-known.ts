import { RequestError } from '../domain/errors.js';
import type { DatabaseSigns } from './pool-watch.js';

/**
 * What anybody may read is still told while the database is away or silent, as it was last seen by this process. While it answers, nothing that is remembered here is
 * ever told, and what is recalled is kept by nobody.
 */

/** Items remembered: a page counts as many as it has. The longest unread goes first. */
export const LAST_KNOWN_MAX = 20_000;
/** A database that answered nobody for this long is silent. */
export const SILENT_AFTER_MS = 1000;
/** While it is away, one of those who ask looks so often whether it is back, and so long. */
const LOOK_AGAIN_MS = 1000;
const LOOK_PATIENCE_MS = 250;

interface Known {
  value: unknown;
  items: number;
}

export class LastKnown {
  readonly #known = new Map<string, Known>();
  #items = 0;
  #lookedAt = -Infinity;

  constructor(
    private readonly signs: DatabaseSigns,
    private readonly itemsMax = LAST_KNOWN_MAX,
  ) {}

  /** What there is none of is not remembered: nobody fills the memory with questions. */
  async read<T>(key: string, load: () => Promise<T>): Promise<T> {
    const [value] = await this.each([key], async () => [await load()]);
    if (value instanceof Error) throw value;
    return value as T;
  }

  /** One question for many: each is answered by the database, or each by what was last known of it, as `recalled` is told. An Error stands for one that there is not. */
  async each<T>(keys: readonly string[], load: () => Promise<(T | Error)[]>, recalled: () => void = () => undefined): Promise<(T | Error)[]> {
    const allKnown = keys.every((key) => this.#known.has(key));
    const wasAway = this.signs.away;
    if (wasAway && allKnown && !this.#mayLook()) return this.#recall<T>(keys, recalled);
    const loading = this.#load(keys, load);
    try {
      return await (allKnown ? this.#orSilence(loading, wasAway ? LOOK_PATIENCE_MS : SILENT_AFTER_MS) : loading);
    } catch (error) {
      if (error instanceof RequestError || !this.signs.away) throw error;
      return this.#recall<T>(keys, recalled, error as Error);
    }
  }

  /** Also what another process has read and given to this one. */
  remember(key: string, value: unknown): void {
    this.#forget(key);
    if (value === null || value === undefined || value instanceof Error) return;
    const items = Math.max(1, sizeOf(value));
    this.#known.set(key, { value, items });
    this.#items += items;
    for (const oldest of this.#known.keys()) {
      if (this.#items <= this.itemsMax) break;
      this.#forget(oldest);
    }
  }

  async #load<T>(keys: readonly string[], load: () => Promise<(T | Error)[]>): Promise<(T | Error)[]> {
    const values = await load();
    this.signs.answered();
    keys.forEach((key, index) => this.remember(key, values[index]));
    return values;
  }

  /** The answer, or an error once the database has answered nobody for a while. */
  async #orSilence<T>(loading: Promise<T>, patienceMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        if (this.signs.answeredWithin(patienceMs)) return;
        this.signs.missing();
        reject(new Error('The database answers nobody.'));
      }, patienceMs);
    });
    return Promise.race([loading, silent]).finally(() => clearInterval(timer));
  }

  #mayLook(): boolean {
    if (performance.now() - this.#lookedAt < LOOK_AGAIN_MS) return false;
    this.#lookedAt = performance.now();
    return true;
  }

  #recall<T>(keys: readonly string[], recalled: () => void, orElse?: Error): (T | Error)[] {
    recalled();
    return keys.map((key) => {
      const known = this.#known.get(key);
      return known ? (known.value as T) : orElse!;
    });
  }

  #forget(key: string): void {
    this.#items -= this.#known.get(key)?.items ?? 0;
    this.#known.delete(key);
  }
}

const sizeOf = (value: unknown): number => (Array.isArray(value) ? value.length : Array.isArray((value as { nodes?: unknown }).nodes) ? (value as { nodes: unknown[] }).nodes.length : 1);
