import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Catcher } from '../inject/mutants.js';

/** Runs what is to catch a mutant, and tells a catch from a run that only broke. */

export interface Outcome {
  verdict: 'red' | 'green' | 'broken';
  /** `2 of 3 tests failed`, or why it is broken. */
  says: string;
  seconds: number;
}

/** The stores of the run, as tests get them from their environment. */
export interface CatcherStores {
  database: unknown;
  redis: unknown;
}

interface JestResult {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { message: string; assertionResults: { status: string }[] }[];
}

const PATIENCE_MS = 300_000;
/** What a test file says whose modules could not even be loaded. */
const NOT_LOADED = /target is gone|There is no mutant|SyntaxError|Cannot find module|does not provide an export/;
/** How a test file ends whose rows break what must always be true. */
const INVARIANT_BROKEN = /What must always be true is not/;

export async function runCatcher(catcher: Catcher, mutant: string | null, stores: CatcherStores, folder: string): Promise<Outcome> {
  const startedAt = performance.now();
  const [, drill] = /^drill (.+)$/.exec(catcher.by) ?? [];
  const told = drill === undefined ? await testFile(catcher, mutant, stores, folder) : await smallDrill(drill, mutant);
  return { ...told, seconds: (performance.now() - startedAt) / 1000 };
}

type Told = Omit<Outcome, 'seconds'>;

async function testFile({ by, only }: Catcher, mutant: string | null, stores: CatcherStores, folder: string): Promise<Told> {
  const file = join(folder, 'result.json');
  rmSync(file, { force: true });
  const node = ['--experimental-vm-modules', '--no-warnings', '--import=./scripts/end-with-parent.mjs', 'node_modules/jest/bin/jest.js'];
  const pattern = only === undefined ? [] : ['--testNamePattern', only.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)];
  const config = ['--config', mutant === null ? 'jest.config.mjs' : 'jest.mutant.config.mjs'];
  const { output } = await ended([...node, ...config, '--runTestsByPath', by, ...pattern, '--json', `--outputFile=${file}`], {
    FRONTROW_TEST_STORES: JSON.stringify(stores),
    FRONTROW_MUTANT: mutant ?? '',
    TMPDIR: folder,
  });
  const result = resultOf(file);
  return result === null ? { verdict: 'broken', says: lastLines(output) } : verdictOf(result);
}

function resultOf(file: string): JestResult | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JestResult;
  } catch {
    return null;
  }
}

function verdictOf({ numPassedTests, numFailedTests, testResults }: JestResult): Told {
  const messages = testResults.map(({ message }) => message).join('\n');
  const ran = numPassedTests + numFailedTests;
  if (NOT_LOADED.test(messages)) return { verdict: 'broken', says: lastLines(messages) };
  if (ran === 0) return { verdict: 'broken', says: 'no test has such a name' };
  if (numFailedTests > 0) return { verdict: 'red', says: `${numFailedTests} of ${ran} ${ran === 1 ? 'test' : 'tests'} failed` };
  if (INVARIANT_BROKEN.test(messages)) return { verdict: 'red', says: 'an invariant is broken' };
  return messages === '' ? { verdict: 'green', says: `${ran} of ${ran} passed` } : { verdict: 'broken', says: lastLines(messages) };
}

const DRILL_VERDICTS: Record<number, Told> = {
  0: { verdict: 'green', says: 'passed' },
  1: { verdict: 'red', says: 'a violation was found' },
  2: { verdict: 'broken', says: 'the drill could not tell' },
};

async function smallDrill(name: string, mutant: string | null): Promise<Told> {
  const { code, output } = await ended(['--import', 'tsx', 'drills/main.ts', name, '--seed', '1', '--small'], { FRONTROW_MUTANT: mutant ?? '' });
  if (NOT_LOADED.test(output)) return { verdict: 'broken', says: lastLines(output) };
  return DRILL_VERDICTS[code] ?? { verdict: 'broken', says: lastLines(output) };
}

function ended(args: string[], env: Record<string, string>): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(patience);
      resolve({ code: code ?? -1, output });
    });
  });
}

const lastLines = (text: string): string => text.trim().split('\n').slice(0, 12).join(' | ').slice(0, 600);
