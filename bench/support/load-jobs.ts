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
  /** Sent once over each connection before the time begins. */
  greeting?: string;
  /** Words whose answers are counted. */
  count?: string[];
  /** Processes whose use of the processor is measured meanwhile. */
  pids: number[];
  /** The load never sleeps: where nothing but the server under test has work to do, which else would pay for waking it. */
  awake?: boolean;
  /** In every answer that did what was asked; one without it is an error, as is one with errors or with another status than 200. */
  succeeds: string;
  /** Body length that every answer must have. */
  expectBytes?: number;
}

export interface RequestsResult {
  answered: number;
  errors: number;
  /** The first few. */
  firstErrors: string[];
  seconds: number;
  /** Answers with each of the job's words. */
  counts: Record<string, number>;
  /** In the order of the job's processes. */
  cpuUs: number[];
  times: Times;
}

/** One request of a flow. `{{name}}` in the body stands for a value of the person who goes through it, or for one that was found in an answer before. */
export interface FlowStep {
  name: string;
  path?: string;
  body: string;
  /** Sends the value `queueToken` along. */
  withQueueToken?: boolean;
  /** In every answer that did what was asked; another one without errors is a refusal, after which the flow ends. */
  succeeds: string;
  /** In an answer that says: not yet. The flow goes on with this step a little later. */
  waits?: string;
  /** What is found in its answer: by its name a regular expression with one group. */
  finds?: Record<string, string>;
}

export type FlowPerson = Record<string, string | number>;

export interface FlowsJob {
  kind: 'flows';
  port: number;
  steps: FlowStep[];
  /** A file of FlowPerson; each goes through the flow once, with `accessToken`. */
  people: string;
  from: number;
  to: number;
  /** The number of users at work changes evenly to that of each stage; a single stage begins with all. */
  stages: { ms: number; users: number }[];
  /** So many take the first step before the one who took it first goes on with the second: they wait in line meanwhile. */
  ahead?: number;
  pids: number[];
}

export interface Second {
  second: number;
  users: number;
  answered: number;
  errors: number;
  averageMs: number;
  p95Ms: number;
  completed: number;
}

export interface FlowsResult {
  /** Flows that went through all steps, that ended with a refusal, and with an error. */
  completed: number;
  refused: number;
  failed: number;
  /** People that were begun with. */
  used: number;
  /** There was nobody left for a user who was free before the time was over. */
  ranOut: boolean;
  firstErrors: string[];
  seconds: number;
  cpuUs: number[];
  steps: { name: string; answered: number; refused: number; errors: number; waited: number; times: Times }[];
  /** Of all steps. */
  times: Times;
  timeline: Second[];
}

export type LoadJob = RequestsJob | FlowsJob;
