import { setTimeout as delay } from 'node:timers/promises';

/** The hold-expiry job without BullMQ: when it comes early it is put off by what remains. */
export async function runHoldJob(expire: () => Promise<{ remainingMs: number }>): Promise<void> {
  for (let { remainingMs } = await expire(); remainingMs > 0; { remainingMs } = await expire()) await delay(remainingMs);
}
