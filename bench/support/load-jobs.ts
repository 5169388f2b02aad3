import type { Times } from './histogram.js';

/** What a load process is asked to do and what it answers; large jobs travel as files. */

export interface RequestsJob {
  kind: 'requests';
  port: number;
  connections: number;
  /** Whole requests, as bytes on the wire; every connection goes its way through them. */
  requests: string[];
  /** Over and over for so long; without it, each request once. */
  durationMs?: number;
  /** Processes whose use of the processor is measured meanwhile. */
  pids: number[];
  /** Body length that every answer must have. */
  expectBytes?: number;
  /** Also right: a refusal that is what is measured. Anything else with errors in it, or another status than 200, is an error. */
  mayContain?: string;
}

export interface RequestsResult {
  answered: number;
  errors: number;
  /** The first few. */
  firstErrors: string[];
  seconds: number;
  /** In the order of the job's processes. */
  cpuUs: number[];
  times: Times;
}
