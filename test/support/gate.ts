import type { Redis } from 'ioredis';
import { keys } from '../../src/redis/keys.js';
import { ServerRun } from '../../src/redis/server-run.js';

interface GateOf {
  id: string;
  scheduleId: string;
}

const gateOf = async (redis: Redis, { id, scheduleId }: GateOf): Promise<string> => keys.seatGate(await new ServerRun(redis).current(), id, scheduleId);

/** How long each entry of a date's gate still counts, by Redis's clock: seat number to ms. */
export async function gateEndsIn(redis: Redis, concert: GateOf): Promise<Map<number, number>> {
  const [seconds, micros] = (await redis.time()).map(Number) as [number, number];
  const entries = Object.entries(await redis.hgetall(await gateOf(redis, concert)));
  return new Map(entries.map(([number, entry]) => [Number(number), Number(entry.split('|')[2]) - (seconds * 1000 + micros / 1000)]));
}

/** Moves the clock of a date's gate: the end of every entry has come. */
export async function endGateEntries(redis: Redis, concert: GateOf): Promise<void> {
  for (const [number, entry] of Object.entries(await redis.hgetall(await gateOf(redis, concert)))) {
    const [holder, reservation] = entry.split('|');
    await redis.hset(await gateOf(redis, concert), number, `${holder}|${reservation}|1`);
  }
}
