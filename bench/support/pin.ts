import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { findProgram } from '../../src/launcher/debian-packages.js';

/** The server under test has a core for itself; the load, the stores and this program share another. Where that cannot be, nothing is pinned, and the report says so. */

export type Core = 'server' | 'rest';

const NUMBER: Record<Core, number> = { server: 0, rest: 1 };
const taskset = cpus().length >= 2 ? findProgram(['taskset']) : undefined;

export const canPin = taskset !== undefined;

/** The command, to be started on that core. */
export const pinnedCommand = (core: Core, command: readonly string[]): string[] => (taskset ? [taskset, '-c', String(NUMBER[core]), ...command] : [...command]);

/** A process that runs, with all its threads; those that it starts later stay there too. */
export function pinProcess(core: Core, pid: number): void {
  if (taskset) spawnSync(taskset, ['-a', '-c', '-p', String(NUMBER[core]), String(pid)]);
}
