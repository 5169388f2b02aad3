import type { Edit } from './replace.ts';

/** What must turn red when a mutant is planted. */
export interface Catcher {
  /** A test file, or `drill <name>` for a drill at its small scale. */
  by: string;
  /** For a test file: only the tests whose names match. */
  only?: string;
}

/** A bug that somebody could really write, planted as the sources are loaded. */
export interface Mutant {
  name: string;
  /** What the bug is, in a line. */
  bug: string;
  edits: readonly Edit[];
  catchers: readonly Catcher[];
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'gate-blind',
    bug: 'x',
    edits: [{ file: 'redis/scripts/seat-take.lua', find: "if #taken > 1 then return taken end", replace: '' }],
    catchers: [],
  },
  {
    name: 'gone',
    bug: 'x',
    edits: [{ file: 'domain/hold.ts', find: "nothing of the kind", replace: '' }],
    catchers: [],
  },
  {
    name: 'hold',
    bug: 'x',
    edits: [{ file: 'domain/hold.ts', find: "status === 'HELD' && expiresAt <= now;", replace: "status === 'HELD' && expiresAt < now;" }],
    catchers: [],
  },
];

export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant) throw new Error(`There is no mutant ${name}: ${MUTANTS.map((one) => one.name).join(', ')}.`);
  return mutant;
}
