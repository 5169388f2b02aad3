import type { Reply, Target } from '../support/client.js';
import type { Lane } from './lane.js';

/** A mutation once: arranged, to be called, and what must be so afterwards. */
export interface Rehearsal {
  /** The same call each time, at whatever process. */
  call(via: Target): Promise<Reply<unknown>>;
  /** Once its outcome is known: what is not as it must be. `died` says where the process of the first call died, null where it did not. */
  wrong(reply: Reply<unknown>, died: string | null): Promise<string[]>;
  /** What heals by itself though nobody repeats the call. */
  healed?(): Promise<boolean>;
}

export interface DrilledMutation {
  name: string;
  /** Points that it must have been made to die at, besides those of every mutation. */
  through: readonly string[];
  arrange(lane: Lane): Promise<Rehearsal>;
}

/** Those that are not so. */
export const unless = (checks: Record<string, boolean>): string[] => Object.entries(checks).flatMap(([what, isSo]) => (isSo ? [] : [what]));

export const saysOk = (reply: Reply<unknown>): Record<string, boolean> => ({ [`the repeated call succeeds, and not ${reply.outcome === 'ok' ? '' : reply.code}`]: reply.outcome === 'ok' });
