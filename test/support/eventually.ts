import { setTimeout as delay } from 'node:timers/promises';
import type { Frontrow } from './frontrow.js';

const POLL_MS = 5;
const PATIENCE_MS = 10_000;

/** Asks again until the answer is truthy; for what sends no event. */
export async function eventually<T>(ask: () => Promise<T | null | undefined | false> | T | null | undefined | false, what = 'the condition'): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`Waited ${PATIENCE_MS} ms in vain for ${what}.`);
    await delay(POLL_MS);
  }
}

/** graphql-ws tells nobody when a subscription has begun: wait until Redis knows the subscriber, so that no message can pass before. */
export const subscribed = (frontrow: Frontrow, topic: string, count = 1): Promise<true> =>
  eventually(async () => {
    const [, subscribers] = (await frontrow.app.redis.pubsub('NUMSUB', topic)) as [string, number];
    return Number(subscribers) >= count;
  }, `a subscriber of ${topic}`);
