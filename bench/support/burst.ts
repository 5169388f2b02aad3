/** Work that is done by several at once, each beginning the next as soon as one is done. */

export type Act = 'reserve' | 'pay' | 'charge';
export const ACTS: readonly Act[] = ['reserve', 'pay', 'charge'];
export type Writer = 'frontrow' | 'raw';

/** Users 1 to `count` of concert `concert`, each with the seat of its own number. */
export interface Burst {
  writer: Writer;
  concert: number;
  count: number;
  concurrency: number;
}

export interface Outcome {
  seconds: number;
  /** What the process that did it spent, in microseconds. */
  cpuUs: number;
  p50Ms: number;
  p95Ms: number;
  /** Each kind once, with how often it came. */
  errors: string[];
}

export async function burst(count: number, concurrency: number, work: (index: number) => Promise<unknown>): Promise<Outcome> {
  const times: number[] = [];
  const errors = new Map<string, number>();
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      const startedAt = performance.now();
      await work(index).catch((error: unknown) => errors.set(String(error), (errors.get(String(error)) ?? 0) + 1));
      times.push(performance.now() - startedAt);
    }
  };
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()];
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, one));
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - startedAt) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.max(0, Math.ceil(share * times.length) - 1)]!;
  return { seconds, cpuUs: user + system, p50Ms: at(0.5), p95Ms: at(0.95), errors: [...errors].map(([error, count]) => `${count} × ${error}`) };
}
