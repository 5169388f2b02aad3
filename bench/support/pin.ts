import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { findProgram } from '../../src/launcher/debian-packages.js';

/** What is under test has a core for itself; the load, the stores and this program share another. Where that cannot be, nothing is pinned, and the report says so. */

export type Core = 'server' | 'rest';
type Cores = Core | 'both';

const CORES: Record<Cores, string> = { server: '0', rest: '1', both: '0,1' };
const taskset = cpus().length >= 2 ? findProgram(['taskset']) : undefined;

export const canPin = taskset !== undefined;

/** The command, to be started on that core. */
export const pinnedCommand = (cores: Cores, command: readonly string[]): string[] => (taskset ? [taskset, '-c', CORES[cores], ...command] : [...command]);

/** A process that stands on the other core has these while the work lasts: a store both, where nothing is measured. */
export async function withCores<T>(cores: Cores, { pid }: { pid: number }, work: () => Promise<T>): Promise<T> {
  pinProcess(cores, pid);
  return work().finally(() => pinProcess('rest', pid));
}

/** A process that runs, with all its threads; those that it starts later stay there too. */
export function pinProcess(cores: Cores, pid: number): void {
  if (taskset) spawnSync(taskset, ['-a', '-c', '-p', CORES[cores], String(pid)]);
}
