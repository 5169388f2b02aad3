import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasEnded } from '../../src/launcher/server-process.js';
import { Histogram } from './histogram.js';
import type { RequestsJob, RequestsResult } from './load-jobs.js';
import { endProcess, spawnNode, tsArgs } from './process.js';
import type { Sample } from './stats.js';

/** A load process on the core that is not the server's, as the bench sees it. */
export class Load {
  #jobs = 0;

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(folder: string): Promise<Load> {
    const child = spawnNode('rest', tsArgs('bench/support/load-child.ts'), process.env as Record<string, string>, ['ignore', 'inherit', 'inherit', 'ipc']);
    await Promise.race([once(child, 'message'), once(child, 'exit').then(() => Promise.reject(new Error('The load process did not start.')))]);
    return new Load(child, folder);
  }

  async requests(job: Omit<RequestsJob, 'kind'>): Promise<RequestsResult> {
    return this.#ask({ kind: 'requests', ...job });
  }

  close(): Promise<void> {
    return endProcess(this.child);
  }

  async #ask(job: RequestsJob): Promise<RequestsResult> {
    if (hasEnded(this.child)) throw new Error('The load process has ended.');
    const file = join(this.folder, `load-${this.child.pid}-${(this.#jobs += 1)}.json`);
    writeFileSync(file, JSON.stringify(job));
    this.child.send(file);
    const answer = await this.#answer();
    rmSync(file);
    if ('error' in answer) throw new Error(answer.error);
    return answer.result;
  }

  #answer(): Promise<{ result: RequestsResult } | { error: string }> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('The load process has ended.'));
      this.child.once('exit', gone).once('message', (answer: { result: RequestsResult } | { error: string }) => {
        this.child.off('exit', gone);
        resolve(answer);
      });
    });
  }
}

/** The figures of one turn. `cpuUs` is what one request costs the first of the measured processes, `storesUs` all others together. */
export function sampleOf({ answered, errors, seconds, cpuUs, times }: RequestsResult): Sample {
  const histogram = Histogram.of(times);
  return {
    cpuUs: (cpuUs[0] ?? 0) / Math.max(1, answered),
    storesUs: cpuUs.slice(1).reduce((sum, us) => sum + us, 0) / Math.max(1, answered),
    perSecond: answered / seconds,
    averageMs: histogram.averageMs,
    p50Ms: histogram.quantileMs(0.5),
    p95Ms: histogram.quantileMs(0.95),
    p99Ms: histogram.quantileMs(0.99),
    maxMs: histogram.maxMs,
    errors,
  };
}
