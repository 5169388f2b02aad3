// Builds dist: the compiled server, its Lua scripts and schema, and the GraphiQL page; with `--bench` the bench too. `--if-stale` leaves what was built from the same sources.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
// As a whole: Node 20 has no globSync, and would fail on the name before it could be told so below.
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import './check-node.mjs';

const { closeSync, cpSync, existsSync, globSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } = fs;
const root = dirname(import.meta.dirname);
const SOURCES = ['src/**/*', 'scripts/build*.mjs', 'package-lock.json', 'tsconfig*.json'];
const SERVER = { folder: 'dist', from: [...SOURCES, 'web/**/*'], build: buildServer };
const BENCH = { folder: 'bench/.built', from: [...SOURCES, '{bench,drills,scripts,test}/**/*.{ts,mjs}'], build: buildBench };
const LOCK_POLL_MS = 100;
/** Of a bench that runs: it starts what was built again and again. */
const RUNNING_BENCH = 'node_modules/.cache/frontrow-bench.pid';

process.chdir(root);
const ifStale = process.argv.includes('--if-stale');
for (const what of process.argv.includes('--bench') ? [SERVER, BENCH] : [SERVER]) {
  const fingerprint = fingerprintOf(what.from);
  const mark = join(what.folder, '.built-from');
  const isWanted = () => !(ifStale && existsSync(mark) && readFileSync(mark, 'utf8') === fingerprint);
  const build = async () => {
    if (!isWanted()) return;
    rmSync(what.folder, { recursive: true, force: true });
    await what.build(what.folder);
    writeFileSync(mark, fingerprint);
  };
  if (!isWanted()) continue;
  refuseBesideBench();
  await alone(build);
}

async function buildServer(folder) {
  await step('Compiling the server', () => compile('tsconfig.build.json'));
  copy('src/**/*.{lua,graphql}', (file) => file.replace(/^src/, folder));
  const { buildGraphiql } = await import('./build-graphiql.mjs');
  await step('Bundling GraphiQL', () => buildGraphiql(join(folder, 'graphiql')));
}

/** Compiled like the server, so that neither side is slowed down by what a loader of TypeScript adds to each function. */
async function buildBench(folder) {
  await step('Compiling the bench', () => compile('tsconfig.bench.json'));
  copy('{src/**/*.{lua,graphql},bench/**/*.mjs}', (file) => join(folder, file));
}

function compile(project) {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project], { stdio: 'inherit' });
}

function copy(pattern, to) {
  for (const file of globSync(pattern)) cpSync(file, to(file));
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

function refuseBesideBench() {
  if (!existsSync(RUNNING_BENCH) || !holderRuns(RUNNING_BENCH)) return;
  console.error(`A bench is running (process ${readFileSync(RUNNING_BENCH, 'utf8')}) and starts what was built; the sources have changed since. Wait for its end, or end it.`);
  process.exit(1);
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
