import { types } from 'node:util';
import type { CatalogueReads } from '../database/loaders.js';
import type { LastKnown } from '../database/last-known.js';
import { byDeadline, remainingMs, withDeadline } from '../domain/deadline.js';
import type { ReadSet, ReadSource } from '../domain/read-set.js';
import type { CatalogueGeneration, Generation } from '../redis/catalogue-generation.js';
import { topics, type PubSub } from '../redis/pubsub.js';
import type { SharedCopies } from '../redis/shared-copies.js';
import { within } from '../redis/within.js';
import { jittered } from './jitter.js';

/**
 * What anybody may read of concerts, venues, dates and prices, as this process has read it of the present generation: each change by an admin makes the next
 * one. What is read while one comes is given to who waits for it and to nobody after. A lost message only delays: everything is read anew by its age.
 */

/** So old an item is read anew, in the background. */
export const ITEM_KEPT_MS = 8000;
/** One that nobody has asked for so long is read first. */
const UNREAD_MAX_MS = 30_000;
/** While nothing is heard from Redis an item is believed so long. */
const UNHEARD_MS = 500;
/** Items remembered: a page counts as many as it has. The longest unread goes first. */
export const ITEMS_MAX = 20_000;
const LOAD_MS = 4000;

interface Item {
  value: unknown;
  weight: number;
  /** By `performance.now()`. */
  dueAt: number;
}

/** As it was last known, while the database is away: an error to whoever would keep or share it. */
class Recalled<T> extends Error {
  constructor(readonly value: T) {
    super('The database is away.');
  }
}

export class Catalogue implements ReadSource, CatalogueReads {
  #version = 0;
  /** How often everything was: what was being read meanwhile is kept by nobody. */
  #forgotten = 0;
  #items = new Map<string, Item>();
  #weight = 0;
  #loading = new Map<string, Promise<unknown>>();
  #generation: Generation = { epoch: '', generation: 0 };
  #deaf = false;
  #listening: Promise<unknown> | null = null;

  constructor(
    private readonly generations: CatalogueGeneration,
    private readonly shared: SharedCopies,
    private readonly pubsub: PubSub,
    private readonly lastKnown: LastKnown,
    private readonly itemsMax = ITEMS_MAX,
  ) {}

  get version(): number {
    return this.#version;
  }

  async one<T>(kind: string, id: string, load: () => Promise<T>, reads?: ReadSet): Promise<T> {
    const [value] = await this.each(kind, [id], async () => [await load()], reads);
    if (value instanceof Error) throw value;
    return value as T;
  }

  known<T>(kind: string, id: string, reads?: ReadSet): T | undefined {
    const now = performance.now();
    const item = this.#usable(`${kind}:${id}`, now);
    if (!item || item.dueAt <= now) return undefined;
    reads?.depend(this, this.#validUntil(item, now));
    return item.value as T;
  }

  /** One reading for all that are not known; an Error stands for one that there is not, and is not remembered. */
  each<T>(kind: string, ids: readonly string[], load: (ids: readonly string[]) => Promise<(T | Error)[]>, reads?: ReadSet): Promise<(T | Error)[]> {
    const now = performance.now();
    const unknown = ids.filter((id) => !this.#usable(`${kind}:${id}`, now) && !this.#loading.has(`${kind}:${id}`));
    if (unknown.length > 0) this.#load(kind, unknown, load);
    // Those that are due soon are read along: otherwise an answer of many items would be out of date with each of them in turn.
    const due = (before: number): string[] => ids.filter((id) => (this.#items.get(`${kind}:${id}`)?.dueAt ?? Infinity) <= before && !this.#loading.has(`${kind}:${id}`));
    if (due(now).length > 0) this.#load(kind, due(now + ITEM_KEPT_MS / 2), load);
    const known: (T | Error | Promise<T | Error>)[] = ids.map((id) => {
      const item = this.#usable(`${kind}:${id}`, now);
      reads?.depend(this, this.#validUntil(item, now));
      return item ? (item.value as T) : (this.#loading.get(`${kind}:${id}`) as Promise<T | Error>);
    });
    return unknown.length === 0 && !known.some((value) => value instanceof Promise) ? Promise.resolve(known as (T | Error)[]) : byDeadline(Promise.all(known), remainingMs());
  }

  /** After the commit of a change. Every process knows of it before the one who changed it is answered, as far as Redis can tell them. */
  async changed(): Promise<void> {
    this.forget();
    const generation = await this.generations.raise();
    if (this.#isNews(generation)) this.#begin(generation);
  }

  /** Nothing that was read until now is told any more. */
  forget(): void {
    this.#version += 1;
    this.#forgotten += 1;
    this.#items = new Map();
    this.#weight = 0;
    this.#loading = new Map();
  }

  /** Messages may be lost from now on, until `hear`. */
  deafen(): void {
    this.#deaf = true;
    this.forget();
  }

  hear(): void {
    this.#deaf = false;
    this.forget();
  }

  /** One that is due is being read anew: it is believed a little longer, so that not everybody makes the same answer anew until that is done. */
  #validUntil(item: Item | undefined, now: number): number {
    if (!item) return now + (this.#deaf ? UNHEARD_MS : ITEM_KEPT_MS / 2);
    return Math.max(item.dueAt, now + (this.#deaf ? 0 : UNHEARD_MS));
  }

  #usable(key: string, now: number): Item | undefined {
    const item = this.#items.get(key);
    if (!item || now >= item.dueAt + (this.#deaf ? 0 : UNREAD_MAX_MS)) return undefined;
    return item;
  }

  #load<T>(kind: string, ids: readonly string[], load: (ids: readonly string[]) => Promise<(T | Error)[]>): void {
    const mine = new Map<string, Promise<unknown>>();
    const loading = withDeadline(LOAD_MS, () => this.#read(kind, ids, load, mine));
    ids.forEach((id, index) => {
      const key = `${kind}:${id}`;
      const one = loading.then(({ values, forgotten }) => {
        // Otherwise another generation has begun meanwhile, or everything was forgotten.
        const value = values[index];
        if (forgotten === this.#forgotten) this.#keep(key, value);
        if (!(value instanceof Recalled)) return value;
        // Whoever keeps an answer that holds it must ask again.
        this.#version += 1;
        return value.value;
      });
      mine.set(key, one);
      this.#loading.set(key, one);
      const end = (): void => {
        if (this.#loading.get(key) === one) this.#loading.delete(key);
      };
      one.then(end, end);
    });
  }

  /** Answers also what had been forgotten before. */
  async #read<T>(kind: string, ids: readonly string[], load: (ids: readonly string[]) => Promise<(T | Error)[]>, mine: ReadonlyMap<string, Promise<unknown>>): Promise<{ values: (T | Error)[]; forgotten: number }> {
    const read = async (some: readonly string[]): Promise<(T | Error)[]> => {
      let isRecalled = false;
      const found = await this.lastKnown.each(some.map((id) => `${kind}:${id}`), () => load(some), () => (isRecalled = true));
      return isRecalled ? found.map((value) => (value instanceof Error ? value : new Recalled(value))) : found;
    };
    let forgotten = this.#forgotten;
    await within(this.#listen()).catch(() => undefined);
    const generation = await within(this.generations.current()).catch(() => null);
    if (generation === null) return { values: (await read(ids)).map(plainOf) as (T | Error)[], forgotten };
    // A message was lost: this reading is of the new generation, and what was read before is not.
    if (this.#isNews(generation)) {
      if (forgotten === this.#forgotten) this.#begin(generation, mine);
      else this.#begin(generation);
      forgotten = this.#forgotten;
    }
    const names = ids.map((id) => `${kind}:${id}:${generation.epoch}:${generation.generation}`);
    const values = await this.shared.each(names, (indexes) => read(indexes.map((index) => ids[index]!)));
    return { values: values.map(plainOf) as (T | Error)[], forgotten };
  }

  #keep(key: string, value: unknown): void {
    // It may be older than what is known.
    if (value instanceof Recalled) return;
    this.#drop(key);
    if (value === null || value === undefined || value instanceof Error) return;
    this.lastKnown.remember(key, value);
    const weight = Math.max(1, sizeOf(value));
    const keptMs = this.#deaf ? UNHEARD_MS : jittered(ITEM_KEPT_MS);
    this.#items.set(key, { value, weight, dueAt: performance.now() + keptMs });
    this.#weight += weight;
    for (const oldest of this.#items.keys()) {
      if (this.#weight <= this.itemsMax) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#weight -= this.#items.get(key)?.weight ?? 0;
    this.#items.delete(key);
  }

  #isNews({ epoch, generation }: Generation): boolean {
    return epoch !== this.#generation.epoch || generation > this.#generation.generation;
  }

  /** What is being read is of the generation before, but for `loading`. */
  #begin(generation: Generation, loading: Iterable<[string, Promise<unknown>]> = []): void {
    this.#generation = generation;
    this.forget();
    this.#loading = new Map(loading);
  }

  /** Redis counts anew; or another catalogue was changed: the channels of a Redis are shared by those who share nothing else of it. */
  async #lookAgain(): Promise<void> {
    const generation = await within(this.generations.current()).catch(() => null);
    if (generation && this.#isNews(generation)) this.#begin(generation);
  }

  #listen(): Promise<unknown> {
    this.#listening ??= this.pubsub
      .listen<'catalogueChanged'>(topics.catalogueChanged(), (generation) => {
        if (generation.epoch !== this.#generation.epoch) void this.#lookAgain();
        else if (this.#isNews(generation)) this.#begin(generation);
      })
      .catch((error: unknown) => {
        this.#listening = null;
        throw error;
      });
    return this.#listening;
  }
}

/** The same whether it was read here or by another process, and no entity: those are slow to read from, and changed by who has loaded them. */
function plainOf(value: unknown): unknown {
  if (types.isDate(value)) return new Date(value.getTime());
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value === null || value instanceof Error) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plainOf(part)]));
}

const sizeOf = (value: unknown): number => {
  if (Array.isArray(value)) return value.length;
  const { nodes } = value as { nodes?: unknown };
  return Array.isArray(nodes) ? nodes.length : 1;
};
