import type { JobProcess } from './child-process.js';
import { Histogram } from './histogram.js';
import type { FlowsJob, FlowsResult, RequestsJob, RequestsResult } from './load-jobs.js';
import type { Sample } from './stats.js';
import type { BenchWorld } from './world.js';

/** HTTP load, as the bench sees it. */
export class Load {
  private constructor(private readonly process: JobProcess) {}

  static async start(world: BenchWorld): Promise<Load> {
    return new Load(await world.jobs('bench/support/load-child.ts'));
  }

  requests(job: Omit<RequestsJob, 'kind'>): Promise<RequestsResult> {
    return this.process.ask({ kind: 'requests', ...job });
  }

  flows(job: Omit<FlowsJob, 'kind'>): Promise<FlowsResult> {
    return this.process.ask({ kind: 'flows', ...job });
  }
}

/** The figures of one turn. `cpuUs` is what one request costs the first of the measured processes, `storesUs` all others together. */
export function sampleOf({ answered, errors, seconds, cpuUs, times }: RequestsResult): Sample {
  if (answered === 0) throw new Error('Nothing was answered.');
  const histogram = Histogram.of(times);
  return {
    cpuUs: (cpuUs[0] ?? 0) / answered,
    storesUs: cpuUs.slice(1).reduce((sum, us) => sum + us, 0) / answered,
    perSecond: answered / seconds,
    averageMs: histogram.averageMs,
    p50Ms: histogram.quantileMs(0.5),
    p95Ms: histogram.quantileMs(0.95),
    p99Ms: histogram.quantileMs(0.99),
    maxMs: histogram.maxMs,
    errors,
  };
}
