import type { Times } from '../support/histogram.js';

/** What a process with thousands of websockets is asked to do. */

export interface OpenJob {
  kind: 'open';
  port: number;
  /** Null: plain websockets that ask for nothing. */
  subscription: { query: string; variables: Record<string, string> } | null;
  /** A file of access tokens, and whose: one socket for each. */
  tokens: string;
  from: number;
  to: number;
}

export interface OpenResult {
  open: number;
  seconds: number;
}

export interface WatchJob {
  kind: 'watch';
  ms: number;
  /** When what is told has happened: a topic of Redis, or the time in the message itself. */
  told: { redis: string; topic: string } | 'in the message';
  pids: number[];
}

export interface WatchResult {
  seconds: number;
  messages: number;
  delays: Times;
  cpuUs: number[];
  /** Sockets that ended meanwhile, and why the first did. */
  lost: number;
  why: string;
}

export type SocketsJob = OpenJob | WatchJob;

/** Comparable between processes of one machine. */
export const nowMs = (): number => performance.timeOrigin + performance.now();
