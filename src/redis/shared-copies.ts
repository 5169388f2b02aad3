import { setTimeout as delay } from 'node:timers/promises';
import { deserialize, serialize } from 'node:v8';
import type { Redis } from 'ioredis';
import { v7 as uuid } from 'uuid';
import { keys } from './keys.js';
import { Script } from './script.js';
import { within } from './within.js';

/**
 * However many processes want the same at once, one reads it and gives it to all. Only spares the database: whoever waits too long, or finds Redis
 * away, reads for himself. A name says of which generation the copy is, so that one that comes late is found by nobody who knows of a newer.
 */

/** A copy serves those who ask at the same moment, not those who come later. */
const COPY_KEPT_MS = 2000;
/** A reader that died keeps the others no longer than this. */
export const READING_MS = 1500;
/** The first wait for another reader; each next one is twice as long. */
const FIRST_WAIT_MS = 4;
const LONGEST_WAIT_MS = 64;
/** Those in one call. */
const COPIES_MAX = 200;
/** Stands for one that is too large to share; copies begin with another byte. */
const OWN = 'SELF';

const ask = new Script<never>('copy-ask');
const give = new Script<never>('copy-give');

export class SharedCopies {
  constructor(private readonly redis: Redis) {}

  /** What is not `small` is read by each for himself: packing it takes the process, and sending it the connection, for longer than it may be kept from all others. */
  async one<T>(name: string, read: () => Promise<T>, small: (value: T) => boolean = () => true): Promise<T> {
    const [value] = await this.each<T>([name], async () => [await read()], small);
    if (value instanceof Error) throw value;
    return value as T;
  }

  /** `read` is asked for those, by their places in `names`, that nobody else reads. What is an Error or nothing is not shared. */
  async each<T>(names: readonly string[], read: (indexes: readonly number[]) => Promise<(T | Error)[]>, small: (value: T) => boolean = () => true): Promise<(T | Error)[]> {
    if (names.length > COPIES_MAX) return read(names.map((_name, index) => index));
    const id = uuid();
    const values = new Array<T | Error>(names.length);
    const put = (indexes: readonly number[], found: readonly (T | Error)[]): void => indexes.forEach((index, place) => (values[index] = found[place]!));
    let missing: readonly number[] = names.map((_name, index) => index);
    const until = performance.now() + READING_MS;
    for (let wait = FIRST_WAIT_MS; missing.length > 0; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      const replies = await this.#ask(id, missing.map((index) => names[index]!));
      const [mine, waiting]: [number[], number[]] = [[], []];
      missing.forEach((index, place) => {
        const copy = replies === null ? null : copyOf<T>(replies[place]!);
        if (copy === 'WAIT') waiting.push(index);
        else if (copy === null) mine.push(index);
        else values[index] = copy.value;
      });
      if (mine.length > 0) put(mine, await this.#read(id, names, mine, read, small));
      missing = waiting;
      if (missing.length === 0) break;
      if (performance.now() >= until) {
        put(missing, await read(missing));
        break;
      }
      await delay(wait);
    }
    return values;
  }

  async #read<T>(id: string, names: readonly string[], mine: readonly number[], read: (indexes: readonly number[]) => Promise<(T | Error)[]>, small: (value: T) => boolean): Promise<(T | Error)[]> {
    let found: (T | Error)[] = [];
    try {
      found = await read(mine);
      return found;
    } finally {
      // Nobody waits for this: who asked has the answer.
      void this.#give(id, mine.map((index) => names[index]!), mine.map((_index, place) => found[place]), small);
    }
  }

  /** Null while Redis is away. */
  async #ask(id: string, names: readonly string[]): Promise<Buffer[] | null> {
    try {
      return await within(ask.runBytes(this.redis, keysOf(names), [id, READING_MS]));
    } catch {
      return null;
    }
  }

  async #give<T>(id: string, names: readonly string[], values: readonly (T | Error | undefined)[], small: (value: T) => boolean): Promise<void> {
    try {
      const copies = values.map((value) => packed(value, small));
      await within(give.runBytes(this.redis, keysOf(names), [id, COPY_KEPT_MS, ...copies]));
    } catch {
      // Those who wait read for themselves.
    }
  }
}

const keysOf = (names: readonly string[]): string[] => names.flatMap((name) => [keys.sharedCopy(name), keys.sharedCopyLock(name)]);
const isWord = (reply: Buffer, word: string): boolean => reply.length === 4 && reply.toString('latin1') === word;

function packed<T>(value: T | Error | undefined, small: (value: T) => boolean): Buffer | string {
  if (value === null || value === undefined || value instanceof Error) return '';
  return small(value) ? serialize(value) : OWN;
}

/** Null: to be read; of a copy that cannot be understood, too. */
function copyOf<T>(reply: Buffer): { value: T } | 'WAIT' | null {
  if (isWord(reply, 'WAIT')) return 'WAIT';
  if (isWord(reply, 'READ') || isWord(reply, OWN)) return null;
  try {
    return { value: deserialize(reply) as T };
  } catch {
    return null;
  }
}
