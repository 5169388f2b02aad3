import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A checkout of the scripts alone, in which nothing was built yet. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'build-'));
  cpSync('scripts', join(folder, 'scripts'), { recursive: true });
  cpSync('package.json', join(folder, 'package.json'));
  mkdirSync(join(folder, 'node_modules/.cache'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const build = (running: number | undefined) => {
  if (running !== undefined) writeFileSync(join(folder, 'node_modules/.cache/frontrow-bench.pid'), String(running));
  return spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: folder, encoding: 'utf8' });
};

test('what a running bench starts is not built anew under it', () => {
  const { status, stderr } = build(process.pid);
  expect([status, stderr]).toEqual([1, expect.stringMatching(new RegExp(`^A bench is running \\(process ${process.pid}\\) and starts what was built; .*end it\\.\\n$`))]);
  // Control: without one it is tried; there is no compiler here.
  expect(build(spawnSync(process.execPath, ['-e', '']).pid).stdout).toContain('Compiling the server');
  expect(existsSync(join(folder, 'dist'))).toBe(false);
});
