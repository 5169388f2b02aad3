import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasEnded } from '../../src/launcher/server-process.js';
import { Histogram } from './histogram.js';
import type { FlowsJob, FlowsResult, LoadJob, RequestsJob, RequestsResult } from './load-jobs.js';
import { endProcess, spawnNode, tsArgs } from './process.js';
import type { Sample } from './stats.js';

type Answer<Result> = { result: Result } | { error: string };

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
    return this.#ask<RequestsResult>({ kind: 'requests', ...job });
  }

  async flows(job: Omit<FlowsJob, 'kind'>): Promise<FlowsResult> {
    return this.#ask<FlowsResult>({ kind: 'flows', ...job });
  }

  close(): Promise<void> {
    return endProcess(this.child);
  }

  async #ask<Result>(job: LoadJob): Promise<Result> {
    if (hasEnded(this.child)) throw new Error('The load process has ended.');
    const file = join(this.folder, `load-${this.child.pid}-${(this.#jobs += 1)}.json`);
    writeFileSync(file, JSON.stringify(job));
    this.child.send(file);
    const answer = await this.#answer<Result>();
    rmSync(file);
    if ('error' in answer) throw new Error(answer.error);
    return answer.result;
  }

  #answer<Result>(): Promise<Answer<Result>> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('The load process has ended.'));
      this.child.once('exit', gone).once('message', (answer: Answer<Result>) => {
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
