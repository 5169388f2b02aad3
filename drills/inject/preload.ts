import fs from 'node:fs';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { mutantNamed } from './mutants.ts';
import { mutatedSources, type Edit } from './replace.ts';
import { SEAMS, SPECIAL } from './points.ts';

/**
 * Loaded before the program by NODE_OPTIONS=--import: plants a mutant or fail points into the compiled modules as they are loaded. What cannot be planted
 * ends the process, so that no run is green because nothing was there to be caught.
 */

const root = dirname(dirname(import.meta.dirname));
const dist = join(root, 'dist');
const { FRONTROW_MUTANT: mutantName, FRONTROW_EDITS: ofDrill, FRONTROW_FAIL_LOG: log, FRONTROW_FAIL_POINT: point, FRONTROW_FAIL_OPERATION: operation, FRONTROW_FAIL_HIT: hit } = process.env;

/** Below `dist/`, with slashes. */
const moduleOf = (url: string): string | null => {
  if (!url.startsWith('file:')) return null;
  const path = relative(dist, fileURLToPath(url));
  return path.startsWith('..') ? null : path;
};

/** Text of changed modules, by their place below `dist/`. */
const edits = [...(mutantName ? mutantNamed(mutantName).edits : []), ...(ofDrill ? (JSON.parse(ofDrill) as Edit[]) : [])];
const mutated = edits.length > 0 ? await mutate(mutantName || 'of the drill', edits) : new Map<string, string>();
const tails = log ? await failPoints(log) : new Map<string, string>();

registerHooks({
  load(url, context, nextLoad) {
    const module = moduleOf(url);
    const changed = module === null ? undefined : mutated.get(module);
    const tail = module === null ? undefined : tails.get(module);
    const loaded = changed === undefined ? nextLoad(url, context) : { format: 'module', source: changed, shortCircuit: true };
    return tail === undefined ? loaded : { ...loaded, source: `${String(loaded.source)}\n${tail}` };
  },
});

async function mutate(name: string, edits: readonly Edit[]): Promise<Map<string, string>> {
  const { transformSync } = await import('@swc/core');
  const sources = mutatedSources(name, edits, (file) => fs.readFileSync(join(root, 'src', file), 'utf8'));
  const modules = new Map<string, string>();
  const scripts = new Map<string, string>();
  for (const [file, source] of sources) {
    if (!file.endsWith('.ts')) scripts.set(join(dist, file), source);
    else modules.set(file.replace(/\.ts$/, '.js'), transformSync(source, { filename: join(root, 'src', file), configFile: join(root, '.swcrc'), sourceMaps: 'inline' }).code);
  }
  replaceFiles(scripts);
  return modules;
}

/** Lua scripts are read by the modules that run them. */
function replaceFiles(contents: ReadonlyMap<string, string>): void {
  if (contents.size === 0) return;
  const read = fs.readFileSync;
  fs.readFileSync = ((file: fs.PathOrFileDescriptor, options?: never) => {
    const path = file instanceof URL ? fileURLToPath(file) : file;
    return (typeof path === 'string' ? contents.get(path) : undefined) ?? read(file, options);
  }) as typeof fs.readFileSync;
  syncBuiltinESMExports();
}

/** What is added at the end of each module that has points. */
async function failPoints(log: string): Promise<Map<string, string>> {
  const killer = join(import.meta.dirname, 'killer.ts');
  const { takeAim } = await import('./killer.ts');
  takeAim({ point: point || undefined, operation, hit: Number(hit || 1), log });
  const lines = new Map<string, string[]>();
  const add = (module: string, line: string): void => {
    if (!fs.existsSync(join(dist, module))) throw new Error(`Fail point: the target is gone. There is no module ${module}.`);
    lines.set(module, [...(lines.get(module) ?? []), line]);
  };
  SEAMS.forEach(({ module, target }, index) => {
    const [name, method] = target.split('.');
    add(module, method === undefined ? `${name} = killer.plant(${index}, ${name});` : `killer.plant(${index}, ${name});`);
  });
  add(SPECIAL.transactions.module, `killer.plantInTransactions(${SPECIAL.transactions.target});`);
  add(SPECIAL.workers.module, `${SPECIAL.workers.target} = killer.plantInWorkers(${SPECIAL.workers.target});`);
  add(SPECIAL.answers.module, `${SPECIAL.answers.target} = killer.plantInAnswers(${SPECIAL.answers.target});`);
  add(SPECIAL.scope.module, `killer.plantScope(${SPECIAL.scope.target});`);
  return new Map([...lines].map(([module, all]) => [module, [`import * as killer from ${JSON.stringify(pathToFileURL(killer).href)};`, ...all].join('\n')]));
}
