import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failPointEnv } from '../../drills/inject/environment.js';
import { MUTANTS } from '../../drills/inject/mutants.js';
import { mutatedSources, replaceOnce, TargetGone } from '../../drills/inject/replace.js';
import { nameOfCatcher } from '../../drills/support/mutant-table.js';
import { ensureBuilt } from '../support/process.js';

/** What is planted from outside: it is there, or the process does not start. */

const root = process.cwd();
beforeAll(() => ensureBuilt());

/** A program over the compiled modules, with something planted: what it printed, or how it failed. */
function loaded(program: string, env: Record<string, string>, cwd = root): { status: number | null; out: string; failed: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...env } });
  return { status, out: stdout.trim(), failed: stderr };
}
const preload = (folder = root): string => `--import=${join(folder, 'drills/inject/preload.ts')}`;
const planted = (program: string, mutant: string, folder = root) => loaded(program, { NODE_OPTIONS: preload(folder), FRONTROW_MUTANT: mutant }, folder);

const ASK_STATUS = `
const { isTaken } = await import('./dist/domain/hold.js');
console.log(isTaken({ status: 'HELD', heldUntil: new Date(0) }, new Date(1)));`;
/** What a script sends to Redis when Redis does not know it. */
const ASK_SCRIPT = `
const { Script } = await import('./dist/redis/script.js');
const redis = { evalsha: () => Promise.reject(new Error('NOSCRIPT')), eval: (source) => Promise.resolve(source) };
console.log((await new Script('seat-take').run(redis, [], [])).includes('now + ARGV[2])'));`;

test('a mutant of a module is what the process loads, and without it the module is as it was built', () => {
  expect(planted(ASK_STATUS, 'status-only')).toMatchObject({ status: 0, out: 'true' });
  expect(loaded(ASK_STATUS, {})).toMatchObject({ status: 0, out: 'false' });
});

test('a mutant of a Lua script is what is sent to Redis', () => {
  expect(planted(ASK_SCRIPT, 'gate-never-dies')).toMatchObject({ status: 0, out: 'true' });
  expect(loaded(ASK_SCRIPT, {})).toMatchObject({ status: 0, out: 'false' });
});

test('a mutant that is not on the list ends the process', () => {
  const { status, failed } = planted('', 'no-such-mutant');
  expect(status).not.toBe(0);
  expect(failed).toContain('There is no mutant no-such-mutant');
});

test('a mutant whose target is gone ends the process before the program begins', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'));
  try {
    mkdirSync(join(folder, 'drills'));
    mkdirSync(join(folder, 'src/domain'), { recursive: true });
    cpSync('drills/inject', join(folder, 'drills/inject'), { recursive: true });
    cpSync('package.json', join(folder, 'package.json'));
    for (const shared of ['node_modules', 'dist', '.swcrc']) symlinkSync(join(root, shared), join(folder, shared));
    writeFileSync(join(folder, 'src/domain/hold.ts'), 'export const isTaken = () => false;\n');
    const { status, out, failed } = planted("console.log('began');", 'status-only', folder);
    expect(status).not.toBe(0);
    expect(out).toBe('');
    expect(failed).toContain('Mutant status-only: the target is gone.');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('text that is there twice is no target either', () => {
  const edit = { file: 'a.ts', find: 'x', replace: 'y' };
  expect(replaceOnce('a x b', edit, 'Mutant a')).toBe('a y b');
  expect(() => replaceOnce('x x', edit, 'Mutant a')).toThrow(TargetGone);
  expect(() => replaceOnce('', edit, 'Mutant a')).toThrow('src/a.ts has it 0 times');
});

test('every mutant finds its targets in the sources, has a name of its own and at least one catcher', () => {
  for (const { name, edits } of MUTANTS) mutatedSources(name, edits, (file) => readFileSync(join('src', file), 'utf8'));
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  expect(MUTANTS.filter(({ catchers }) => catchers.length === 0)).toEqual([]);
});

test('docs/mutants.md has every mutant with every catcher, as the last run of each found them', () => {
  const rows = readFileSync('docs/mutants.md', 'utf8').split('\n').filter((line) => line.startsWith('| ')).slice(1);
  const listed = rows.map((row) => row.split(' | ')).map(([name, , catchers]) => [name!.slice(2), catchers!.split('<br>')]);
  expect(listed).toEqual(MUTANTS.map(({ name, catchers }) => [name, catchers.map(nameOfCatcher)]));
});

test('every fail point finds its target in the compiled modules', () => {
  const folder = mkdtempSync(join(tmpdir(), 'points-'));
  try {
    const { status, out, failed } = loaded("await import('./dist/run.js'); console.log('loaded');", failPointEnv(join(folder, 'hits')));
    expect({ status, out, failed }).toEqual({ status: 0, out: 'loaded', failed: '' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
