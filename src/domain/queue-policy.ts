import { badInput } from './errors.js';
import type { QueuePolicy } from './queue.js';

export const ADMIT_COUNT_MAX = 1_000_000;
export const ADMIT_INTERVAL_MAX_MS = 86_400_000;
export const ACTIVE_MAX_MAX = 1_000_000;

/** What a concert's row says about its queue; null means the configured default. */
export interface OwnQueuePolicy {
  queueAdmitCount?: number | null;
  queueAdmitIntervalMs?: number | null;
  queueActiveMax?: number | null;
}

/** A change: not given keeps what is there, null goes back to the configured default. */
export type QueuePolicyChange = { [Setting in keyof QueuePolicy]?: number | null };

/** The policy in force: what an admin set for the concert wins over the configuration. */
export const queuePolicyOf = (own: OwnQueuePolicy, defaults: QueuePolicy): QueuePolicy => ({
  admitCount: own.queueAdmitCount ?? defaults.admitCount,
  admitIntervalMs: own.queueAdmitIntervalMs ?? defaults.admitIntervalMs,
  activeMax: own.queueActiveMax ?? defaults.activeMax,
});

export function changedQueuePolicy(own: OwnQueuePolicy, change: QueuePolicyChange): OwnQueuePolicy {
  return {
    queueAdmitCount: settingOf('admitCount', change.admitCount, own.queueAdmitCount, 1, ADMIT_COUNT_MAX),
    queueAdmitIntervalMs: settingOf('admitIntervalMs', change.admitIntervalMs, own.queueAdmitIntervalMs, 1, ADMIT_INTERVAL_MAX_MS),
    queueActiveMax: settingOf('activeMax', change.activeMax, own.queueActiveMax, 0, ACTIVE_MAX_MAX),
  };
}

function settingOf(field: string, given: number | null | undefined, current: number | null | undefined, min: number, max: number): number | null {
  if (given === undefined) return current ?? null;
  if (given !== null && (!Number.isInteger(given) || given < min || given > max)) throw badInput(field, `Must be from ${min} to ${max}, or null for the default.`);
  return given;
}
