import type { Times } from '../support/histogram.js';

/** What a process with thousands of viewers of one seat map is asked to do. */

export interface MapViewerFile {
  accessToken: string;
  queueToken: string;
}

export interface OpenMapsJob {
  kind: 'open';
  port: number;
  scheduleId: string;
  /** A file of MapViewerFile. */
  viewers: string;
  seats: number;
}

export interface WatchMapsJob {
  kind: 'watch';
  ms: number;
  /** Viewers whose connection is cut without a word and who come back after what they know, each second. */
  dropPerSecond: number;
  pids: number[];
}

export interface WatchMapsResult {
  seconds: number;
  messages: number;
  /** From the call that makes the oldest change in a message. */
  delays: Times;
  cpuUs: number[];
  dropped: number;
  resyncs: number;
}

export interface CompareMapsJob {
  kind: 'compare';
}

export interface CompareMapsResult {
  viewers: number;
  /** Whose map is not the one that the server tells now. */
  different: number;
  example: string;
}

export type MapsJob = OpenMapsJob | WatchMapsJob | CompareMapsJob;

/** Seats whose change is asked for right now, by the clock of `nowMs`. */
export interface ChangeWord {
  numbers: number[];
  status: string;
  at: number;
}
