import { hash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { versioned, type EventType, type OutgoingEvent } from '../domain/event.js';
import { keys } from './keys.js';
import { Script } from './script.js';

/**
 * The stream that other systems read, and the events that the queue scripts leave behind. Only its owner publishes, checked by the script that does, so that
 * several relays at once publish nothing twice and nothing out of order.
 */

/** About a day of a busy sale; a consumer group that stays away longer has a gap, which it sees by its last id. */
export const STREAM_LENGTH_MAX = 200_000;
/** A relay that dies is followed by the next one after this time. */
const OWNED_MS = 5000;
/** Same name, same id: an event that is published again after a crash has the id it had. */
const EVENT_NAMESPACE = Buffer.from('0f3d8a546b0c4c1e9d572f6f2b1c7a90', 'hex');
/** More entries than Redis appends in a millisecond; the product stays exact as a double. */
const ENTRIES_PER_MS = 4096;

const claimScript = new Script<string | null>('relay-claim');
const publishScript = new Script<0 | 1>('relay-publish');
const askScript = new Script<0 | 1>('relay-ask');
const releaseScript = new Script<'released' | 'asked' | 'kept'>('relay-release');

/** Entries of a queue that are asked for at once: each may tell of many people, and what does not fit into a batch is asked for again. */
const ENTRIES_PER_READ = 128;

/** What the queue scripts write: of one user, or in `people` user and place of all whom one call moved. */
type QueueEventFields = Record<'type' | 'user' | 'place' | 'people' | 'cause', string | undefined>;

export interface QueueEvents {
  concertId: string;
  events: OutgoingEvent[];
  /** The entry of the last of them; all that it tells is among them. */
  last: string | null;
  /** There may be more behind it. */
  hasMore: boolean;
  /** Why none could be read; then there are none. */
  error: Error | null;
}

export class EventStream {
  constructor(private readonly redis: Redis) {}

  /** How far the outbox was published as far as this Redis knows, '' if it does not; null while another relay owns the stream. */
  claim(relay: string): Promise<string | null> {
    return claimScript.run(this.redis, [keys.relayOwner(), keys.relayAgain(), keys.relayReached()], [relay, OWNED_MS]);
  }

  /** Asks the relay at work to look once more before it ends; false where there is none. */
  async askAgain(): Promise<boolean> {
    return (await askScript.run(this.redis, [keys.relayOwner(), keys.relayAgain()], [OWNED_MS])) === 1;
  }

  /** All of them, in this order, and with them how far the outbox is published; nothing where this relay owns the stream no more or this Redis is not at `before`. */
  async publish(relay: string, events: readonly OutgoingEvent[], before: string, reached: string): Promise<boolean> {
    const textOf = instantTexts();
    const written = events.map(({ id, type, occurredAt, userId, concertId, reservationId, payload }) => [id, type, textOf(occurredAt), userId, concertId ?? '', reservationId ?? '', payload]);
    const names = [keys.events(), keys.relayOwner(), keys.relayReached()];
    return (await publishScript.run(this.redis, names, [relay, OWNED_MS, STREAM_LENGTH_MAX, before, reached, JSON.stringify(written)])) === 1;
  }

  /** False where the relay must look once more before it ends. */
  async release(relay: string): Promise<boolean> {
    return (await releaseScript.run(this.redis, [keys.relayOwner(), keys.relayAgain()], [relay, '0'])) !== 'kept';
  }

  /** Ends whoever came; true where somebody did, for whom this relay has not looked. */
  async abandon(relay: string): Promise<boolean> {
    return (await releaseScript.run(this.redis, [keys.relayOwner(), keys.relayAgain()], [relay, '1'])) === 'asked';
  }

  /** Concerts whose queue may have events: those looked after, and those that were until lately. */
  async concerts(): Promise<string[]> {
    const sets = await Promise.all([this.redis.smembers(keys.queues()), this.redis.smembers(keys.queuesToRelay())]);
    return [...new Set(sets.flat())];
  }

  /** Of each of these queues the oldest events that were not dropped yet: at most so many, but all of an entry. */
  async queueEvents(concertIds: readonly string[], limit: number): Promise<QueueEvents[]> {
    const pipeline = this.redis.pipeline();
    for (const concertId of concertIds) pipeline.xrange(keys.queueEvents(concertId), '-', '+', 'COUNT', Math.min(limit, ENTRIES_PER_READ));
    const replies = (await pipeline.exec())!;
    return concertIds.map((concertId, index) => {
      const [error, entries] = replies[index] as [Error | null, [string, string[]][] | null];
      return error ? { concertId, events: [], last: null, hasMore: false, error } : readQueue(concertId, entries ?? [], limit);
    });
  }

  /** After they were published. */
  async dropQueueEvents(concertId: string, last: string): Promise<void> {
    const [ms, sequence] = last.split('-');
    await this.redis.xtrim(keys.queueEvents(concertId), 'MINID', '=', `${ms}-${Number(sequence) + 1}`);
  }

  /** A queue without events that nobody looks after any more; put back if there is one after all. */
  async forget(concertId: string): Promise<void> {
    await this.redis.srem(keys.queuesToRelay(), concertId);
    if ((await this.redis.xlen(keys.queueEvents(concertId))) > 0) await this.redis.sadd(keys.queuesToRelay(), concertId);
  }
}

/** What cannot be read is one queue's trouble, and nobody else's. */
function readQueue(concertId: string, entries: readonly [string, string[]][], limit: number): QueueEvents {
  const events: OutgoingEvent[] = [];
  let last: string | null = null;
  let hasMore = entries.length >= Math.min(limit, ENTRIES_PER_READ);
  try {
    for (const [entryId, pairs] of entries) {
      const told = eventsOf(concertId, entryId, pairs);
      if (last !== null && events.length + told.length > limit) {
        hasMore = true;
        break;
      }
      events.push(...told);
      last = entryId;
    }
    return { concertId, events, last, hasMore, error: null };
  } catch (error) {
    return { concertId, events: [], last: null, hasMore: false, error: error as Error };
  }
}

function eventsOf(concertId: string, entryId: string, pairs: readonly string[]): OutgoingEvent[] {
  const fields: Partial<QueueEventFields> = {};
  for (let index = 0; index < pairs.length; index += 2) fields[pairs[index] as keyof QueueEventFields] = pairs[index + 1];
  const people = fields.people?.split(' ') ?? [fields.user, fields.place];
  const [ms, sequence] = entryId.split('-').map(Number) as [number, number];
  const occurredAt = new Date(ms);
  const firstId = uuidOfName(`${concertId} ${entryId}`);
  return Array.from({ length: Math.ceil(people.length / 2) }, (_, index) => {
    const [userId, place] = [people[2 * index], Number(people[2 * index + 1])];
    if (!fields.type || !userId || !Number.isSafeInteger(place)) throw new Error(`Entry ${entryId} of the queue of ${concertId} is no event`);
    return {
      id: nthId(firstId, index),
      sequence: ms * ENTRIES_PER_MS + sequence,
      type: fields.type as EventType,
      occurredAt,
      userId,
      concertId,
      reservationId: null,
      payload: versioned({ place, ...(fields.cause && { cause: fields.cause }) }),
    };
  });
}

/** A UUID of version 5; that of the library takes three times as long. */
function uuidOfName(name: string): string {
  const hex = hash('sha1', Buffer.concat([EVENT_NAMESPACE, Buffer.from(name)]), 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${'89ab'[Number.parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Those of one entry differ in their last four digits: to hash a name for each would cost more than all else that is made of it. */
function nthId(first: string, index: number): string {
  if (index === 0) return first;
  const digits = (Number.parseInt(first.slice(32), 16) + index) % 0x10000;
  return first.slice(0, 32) + digits.toString(16).padStart(4, '0');
}

/** Events of one instant share its text, which takes longer to make than all else of them. */
function instantTexts(): (at: Date) => string {
  let [ms, text] = [NaN, ''];
  return (at) => {
    if (at.getTime() !== ms) [ms, text] = [at.getTime(), at.toISOString()];
    return text;
  };
}
