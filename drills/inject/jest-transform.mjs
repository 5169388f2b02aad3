// Plants the mutant that FRONTROW_MUTANT names into the sources as jest loads them, so that tests can be its catchers.
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import swc from '@swc/jest';
import { mutantNamed } from './mutants.ts';
import { mutatedSources } from './replace.ts';

const source = join(dirname(dirname(import.meta.dirname)), 'src');
const read = fs.readFileSync;
const name = process.env.FRONTROW_MUTANT;
if (!name) throw new Error('FRONTROW_MUTANT must name a mutant.');
const changed = new Map();
for (const [file, text] of mutatedSources(name, mutantNamed(name).edits, (file) => read(join(source, file), 'utf8'))) changed.set(join(source, file), text);

// Lua scripts are read by the modules that run them, from jest's own copy of this module.
fs.readFileSync = (file, ...options) => {
  const path = file instanceof URL ? fileURLToPath(file) : file;
  return (typeof path === 'string' && path.endsWith('.lua') ? changed.get(path) : undefined) ?? read(file, ...options);
};

/** The changed text is part of the cache's key, as any text is: no run finds the module of another. */
function createTransformer(options) {
  const inner = swc.createTransformer(options);
  const textOf = (text, file) => changed.get(file) ?? text;
  return {
    ...inner,
    process: (text, file, rest) => inner.process(textOf(text, file), file, rest),
    processAsync: (text, file, rest) => inner.processAsync(textOf(text, file), file, rest),
    getCacheKey: (text, file, ...rest) => inner.getCacheKey(textOf(text, file), file, ...rest),
  };
}

// Jest takes a transformer by default export only.
export default { createTransformer };
