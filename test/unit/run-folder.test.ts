import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeRunFolder } from '../../scripts/run-folder.js';
import { eventually } from '../support/eventually.js';
import { commandOf } from '../support/process.js';

const folder = mkdtempSync(join(tmpdir(), 'frontrow-run-folder-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what a killed run left is removed by the next one; what belongs to a running one, or to nobody known, stays', () => {
  const { pid: dead } = spawnSync(process.execPath, ['-e', '']);
  for (const name of [`run-${dead}-old`, `run-${process.ppid}-busy`, 'run-old', `other-${dead}-old`]) mkdirSync(join(folder, name));
  const made = makeRunFolder(folder, 'run-');
  expect(basename(made)).toMatch(new RegExp(`^run-${process.pid}-`));
  expect(readdirSync(folder).sort()).toEqual([basename(made), `run-${process.ppid}-busy`, 'run-old', `other-${dead}-old`].sort());
});

test('a process of a test run ends when the one that started it is killed', async () => {
  const child = JSON.stringify([process.execPath, '--import=./scripts/end-with-parent.mjs', '-e', 'console.log(process.pid); setInterval(() => undefined, 1000)']);
  const source = `const [program, ...args] = ${child}; require('node:child_process').spawn(program, args, { stdio: 'inherit' })`;
  const parent = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [pid] = (await once(createInterface({ input: parent.stdout }), 'line')).map(Number);
  parent.kill('SIGKILL');
  await eventually(() => commandOf(pid!) === '', 'the child to end');
});
