import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Edit } from './replace.ts';

/** What a process of the built program is started with, so that something is planted into it as it loads. */

const preload = { NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'preload.ts')).href}` };

/** The mutant that this process was told to plant into those it starts; nothing where there is none. */
export function mutantEnv(): Record<string, string> {
  const mutant = process.env['FRONTROW_MUTANT'];
  return mutant ? { ...preload, FRONTROW_MUTANT: mutant } : {};
}

/** What a drill itself changes: another isolation, a guard that is off. Beside a mutant, if there is one. */
export function plantedEnv(edits: readonly Edit[]): Record<string, string> {
  return { ...preload, FRONTROW_EDITS: JSON.stringify(edits) };
}

/** The process writes every hit of a fail point to the file, and dies at the one it is aimed at, if it is aimed at any. */
export function failPointEnv(log: string, aim?: { operation: string; point: string; hit: number }): Record<string, string> {
  return {
    ...preload,
    FRONTROW_FAIL_LOG: log,
    FRONTROW_FAIL_OPERATION: aim?.operation ?? '',
    FRONTROW_FAIL_POINT: aim?.point ?? '',
    FRONTROW_FAIL_HIT: String(aim?.hit ?? ''),
  };
}

/** Laid over `failPointEnv`: nobody dies. */
export const NO_FAIL_POINT: Record<string, string> = { FRONTROW_FAIL_LOG: '' };
