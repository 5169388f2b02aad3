import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from 'pino';

/** Where the Redis is: a `redis://` URL, or the path of the unix socket of the own server. */
export type RedisAddress = string;

const KEEP_TRYING: RedisOptions = { maxRetriesPerRequest: null, enableOfflineQueue: true };
const RETRY_DELAY_MAX_MS = 1000;
const retryStrategy = (attempt: number): number => Math.min(attempt * 50, RETRY_DELAY_MAX_MS);

function connect(address: RedisAddress, options: RedisOptions, logger: Logger): Redis {
  const redis = new Redis(address, { retryStrategy, replyMapping: 'legacy', ...options } as RedisOptions);
  redis.on('error', (error) => logger.warn({ err: error }, 'redis connection'));
  return redis;
}

/** For requests: an answer at once or an error at once, so that no buyer waits for a Redis that is away. Resolves when connected. */
export async function connectFailFast(address: RedisAddress, logger: Logger): Promise<Redis> {
  const redis = connect(address, { maxRetriesPerRequest: 1, enableOfflineQueue: false }, logger);
  if (redis.status !== 'ready') await once(redis, 'ready');
  return redis;
}

/** For subscribers and job workers, which wait for Redis to come back. */
export const connectPatient = (address: RedisAddress, logger: Logger): Redis => connect(address, KEEP_TRYING, logger);
