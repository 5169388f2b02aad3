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

/** What the queue scripts write. */
type QueueEventFields = Record<'type' | 'user' | 'place' | 'cause', string | undefined>;

export interface QueueEvents {
  concertId: string;
  events: OutgoingEvent[];
  /** The entry of the last of them. */
  last: string | null;
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
    const written = events.map(({ id, type, occurredAt, userId, concertId, reservationId, payload }) => [id, type, occurredAt, userId, concertId ?? '', reservationId ?? '', payload]);
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

  /** Of each of these queues the oldest events that were not dropped yet. */
  async queueEvents(concertIds: readonly string[], limit: number): Promise<QueueEvents[]> {
    const pipeline = this.redis.pipeline();
    for (const concertId of concertIds) pipeline.xrange(keys.queueEvents(concertId), '-', '+', 'COUNT', limit);
    const replies = (await pipeline.exec())!;
    return concertIds.map((concertId, index) => {
      const [error, entries] = replies[index] as [Error | null, [string, string[]][] | null];
      return error ? { concertId, events: [], last: null, error } : readQueue(concertId, entries ?? []);
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
function readQueue(concertId: string, entries: readonly [string, string[]][]): QueueEvents {
  try {
    return { concertId, events: entries.map(([entryId, pairs]) => eventOf(concertId, entryId, pairs)), last: entries.at(-1)?.[0] ?? null, error: null };
  } catch (error) {
    return { concertId, events: [], last: null, error: error as Error };
  }
}

function eventOf(concertId: string, entryId: string, pairs: readonly string[]): OutgoingEvent {
  const fields: Partial<QueueEventFields> = {};
  for (let index = 0; index < pairs.length; index += 2) fields[pairs[index] as keyof QueueEventFields] = pairs[index + 1];
  if (!fields.type || !fields.user || !Number.isSafeInteger(Number(fields.place))) throw new Error(`Entry ${entryId} of the queue of ${concertId} is no event`);
  const [ms, sequence] = entryId.split('-').map(Number) as [number, number];
  return {
    id: uuidOfName(`${concertId} ${entryId}`),
    sequence: ms * ENTRIES_PER_MS + sequence,
    type: fields.type as EventType,
    occurredAt: new Date(ms),
    userId: fields.user,
    concertId,
    reservationId: null,
    payload: versioned({ place: Number(fields.place), ...(fields.cause && { cause: fields.cause }) }),
  };
}

/** A UUID of version 5; that of the library takes three times as long. */
function uuidOfName(name: string): string {
  const hex = hash('sha1', Buffer.concat([EVENT_NAMESPACE, Buffer.from(name)]), 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${'89ab'[Number.parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
