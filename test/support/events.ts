import type { Redis } from 'ioredis';
import { keys } from '../../src/redis/keys.js';

export type StreamedEvent = Record<'entry' | 'id' | 'type' | 'occurredAt' | 'userId' | 'concertId' | 'reservationId', string> & { payload: Record<string, unknown> };

/** An entry of the stream as a consumer reads it. */
export function streamedOf([entry, pairs]: [string, string[]]): StreamedEvent {
  const fields = Object.fromEntries(pairs.flatMap((name, index) => (index % 2 === 0 ? [[name, pairs[index + 1]!]] : []))) as Record<string, string>;
  return { entry, ...fields, payload: JSON.parse(fields['payload']!) } as StreamedEvent;
}

/** Everything in the stream, oldest first. */
export const streamed = async (redis: Redis): Promise<StreamedEvent[]> => (await redis.xrange(keys.events(), '-', '+')).map(streamedOf);
