import type { StrategyName } from './contest.js';
import { optimisticVersion, pessimisticLock, serializable, uniqueKeyAlone } from './in-database.js';
import type { Strategy, Tools } from './strategy.js';
import { bullmqQueue, redisLock } from './with-redis.js';

/** All but Frontrow's own. */
export const OTHERS: Record<Exclude<StrategyName, 'frontrow'>, (tools: Tools) => Strategy> = {
  'pessimistic lock': pessimisticLock,
  'optimistic version': optimisticVersion,
  'redis lock': redisLock,
  serializable,
  'bullmq queue': bullmqQueue,
  'unique key alone': uniqueKeyAlone,
};
