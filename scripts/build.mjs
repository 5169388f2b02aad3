// Builds dist: the compiled server, its Lua scripts and schema, and the GraphiQL page. `--if-stale` does nothing when dist was built from the same sources.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
// As a whole: Node 20 has no globSync, and would fail on the name before it could be told so below.
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import './check-node.mjs';

const { closeSync, cpSync, existsSync, globSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } = fs;
const root = dirname(import.meta.dirname);
const BUILT_FROM = ['src/**/*', 'web/**/*', 'scripts/build*.mjs', 'package-lock.json', 'tsconfig*.json'];
const LOCK_POLL_MS = 100;

process.chdir(root);
const fingerprint = fingerprintOf(BUILT_FROM);
const isFresh = () => existsSync('dist/.built-from') && readFileSync('dist/.built-from', 'utf8') === fingerprint;
const ifStale = process.argv.includes('--if-stale');
if (!(ifStale && isFresh())) await alone(() => (ifStale && isFresh() ? undefined : build()));

async function build() {
  rmSync('dist', { recursive: true, force: true });
  await step('Compiling the server', () => execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' }));
  for (const file of globSync('src/**/*.{lua,graphql}')) cpSync(file, file.replace(/^src/, 'dist'));
  const { buildGraphiql } = await import('./build-graphiql.mjs');
  await step('Bundling GraphiQL', () => buildGraphiql('dist/graphiql'));
  writeFileSync('dist/.built-from', fingerprint);
}

async function step(what, work) {
  const startedAt = performance.now();
  console.log(`${what} …`);
  try {
    await work();
  } catch (error) {
    if (error.status === undefined) throw error;
    console.error(`${what} failed.`);
    process.exit(1);
  }
  console.log(`${what}: done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

function fingerprintOf(patterns) {
  const hash = createHash('sha256');
  const files = patterns.flatMap((pattern) => globSync(pattern, { withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files.map((entry) => join(entry.parentPath, entry.name)).sort()) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

/** Two builds at once would delete each other's files; a lock left by a killed build is known by its process being gone. */
async function alone(work) {
  mkdirSync('node_modules/.cache', { recursive: true });
  const lock = 'node_modules/.cache/frontrow-build.lock';
  for (;;) {
    try {
      const file = openSync(lock, 'wx');
      writeFileSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!holderRuns(lock)) rmSync(lock, { force: true });
      await new Promise((done) => setTimeout(done, LOCK_POLL_MS));
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function holderRuns(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}
