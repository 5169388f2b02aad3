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
  /** One after the other, of so many tellings each. */
  stretches: number;
  tellings: number;
  /** When what is told has happened: a topic of Redis, or the time in the message itself. */
  told: { redis: string; topic: string } | 'in the message';
  pids: number[];
}

export interface WatchResult {
  stretches: Stretch[];
  /** Sockets that ended meanwhile, and why the first did. */
  lost: number;
  why: string;
}

export interface Stretch {
  seconds: number;
  messages: number;
  /** Messages, without heartbeats, from before each telling to after it. */
  overRedis: number[];
  delays: Times;
  cpuUs: number[];
}

export type SocketsJob = OpenJob | WatchJob;

const ORIGIN = performance.timeOrigin;
/** Comparable between processes of one machine. */
export const nowMs = (): number => ORIGIN + performance.now();
