import type { Outcome } from '../support/burst.js';

export const STRATEGIES = ['frontrow', 'pessimistic lock', 'optimistic version', 'redis lock', 'serializable', 'bullmq queue', 'unique key alone'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/** All at once: user `n` wants the seat at place `n - 1` of `wishes`. */
export interface Contest {
  strategy: StrategyName;
  date: number;
  wishes: number[];
}

export interface Contested extends Outcome {
  held: number;
  retries: number;
  connections: number;
}
