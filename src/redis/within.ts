/** A Redis that takes commands and does not answer counts as away after this long; only for what may be asked, or said, twice. */
export const REDIS_PATIENCE_MS = 500;

/** Nothing is known of what was asked: it may still happen. */
export class NoAnswer extends Error {}

/** The reply, or an error after REDIS_PATIENCE_MS. The command itself may still be carried out later. */
export async function within<T>(reply: Promise<T>, patienceMs = REDIS_PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    // A process that was busy first reads what has come meanwhile.
    timer = setTimeout(() => setImmediate(() => reject(new NoAnswer(`No answer within ${patienceMs} ms`))), patienceMs);
  });
  try {
    return await Promise.race([reply, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
