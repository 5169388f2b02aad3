const TICK_MS = 10;

/** `ownMs` is without the time in which a busy machine left this process standing, for limits: that is nobody's delay. */
export interface Timed<T> {
  result: T;
  ms: number;
  ownMs: number;
}

export async function timed<T>(work: Promise<T>): Promise<Timed<T>> {
  const started = performance.now();
  let stoodMs = 0;
  let last = { at: started, cpu: process.cpuUsage() };
  const tick = (): void => {
    const { user, system } = process.cpuUsage(last.cpu);
    stoodMs += Math.max(0, performance.now() - last.at - TICK_MS - (user + system) / 1000);
    last = { at: performance.now(), cpu: process.cpuUsage() };
  };
  const ticking = setInterval(tick, TICK_MS);
  try {
    const result = await work;
    tick();
    const ms = performance.now() - started;
    return { result, ms, ownMs: ms - stoodMs };
  } finally {
    clearInterval(ticking);
  }
}
