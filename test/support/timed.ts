/** So long a busy machine may leave this process or a store standing: a limit of time leaves room for it. */
export const STALL_MS = 1500;

export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const started = performance.now();
  return { result: await work(), ms: performance.now() - started };
}
