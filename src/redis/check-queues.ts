import { Redis } from 'ioredis';
import { keys } from './keys.js';
import { Script } from './script.js';

/** Reads and writes nothing; each queue is looked at in one instant. */

export interface QueueNow {
  concertId: string;
  active: string[];
  /** Those of them who wait, too. */
  waitingToo: string[];
}

const ANSWER_TIMEOUT_MS = 5000;
const checkScript = new Script<[string[], string[]]>('queue-check');

/** For one command that ends: a Redis that is away is not waited for. */
export async function connectOnce(address: string): Promise<Redis> {
  const redis = new Redis(address, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null, connectTimeout: ANSWER_TIMEOUT_MS, commandTimeout: ANSWER_TIMEOUT_MS });
  redis.on('error', () => undefined);
  await redis.connect();
  return redis;
}

/** Those that the admission looks after. */
export async function queuesNow(redis: Redis): Promise<QueueNow[]> {
  const queues: QueueNow[] = [];
  for (const concertId of await redis.smembers(keys.queues())) {
    const [active, waitingToo] = await checkScript.run(redis, [keys.queueWaiting(concertId), keys.queueActive(concertId)], []);
    queues.push({ concertId, active, waitingToo });
  }
  return queues;
}
