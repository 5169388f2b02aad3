/** So long a busy machine may leave this process standing: what a test does in a given time leaves room for it. */
export const STALL_MS = 1500;
const LOOK_EVERY_MS = 10;
/** Less than that is a turn of the process that came a little late. */
const STOOD_FROM_MS = 100;

export interface Timed<T> {
  result: T;
  ms: number;
  /** In which this process had no turn and used no processor, STALL_MS at most: nobody's delay. */
  stoodMs: number;
  /** The rest, for limits. */
  ownMs: number;
}

export async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const started = performance.now();
  let last = { at: started, cpu: process.cpuUsage() };
  let stood = 0;
  const look = (): void => {
    const now = { at: performance.now(), cpu: process.cpuUsage() };
    const usedMs = (now.cpu.user + now.cpu.system - last.cpu.user - last.cpu.system) / 1000;
    const unusedMs = now.at - last.at - usedMs;
    if (unusedMs >= STOOD_FROM_MS) stood += unusedMs;
    last = now;
  };
  const looking = setInterval(look, LOOK_EVERY_MS);
  try {
    const result = await work();
    look();
    const ms = performance.now() - started;
    const stoodMs = Math.min(stood, STALL_MS);
    return { result, ms, stoodMs, ownMs: ms - stoodMs };
  } finally {
    clearInterval(looking);
  }
}
