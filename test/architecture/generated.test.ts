import { spawnSync } from 'node:child_process';
import { buildSchema as parseSchema, extendSchema, findBreakingChanges, parse } from 'graphql';
import { resolvers } from '../../src/resolvers/index.js';
import { printServedSchema } from '../../src/schema/print-schema.js';
import { read } from '../support/sources.js';

const node = (...args: string[]): string => {
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return status === 0 ? '' : `${stdout}${stderr}`;
};

test('the committed schema is the served one (else: npm run schema)', async () => {
  expect(read('src/schema/schema.graphql')).toBe(await printServedSchema(resolvers));
});

test('the contract is kept: the served schema only adds to it', async () => {
  const contract = extendSchema(parseSchema(read('test/architecture/contract/schema.graphql')), parse(read('test/architecture/contract/live-map.graphql')));
  expect(findBreakingChanges(contract, parseSchema(await printServedSchema(resolvers)))).toEqual([]);
});

test('a field that is gone, renamed or of another type breaks the contract', () => {
  const contract = read('test/architecture/contract/schema.graphql');
  const broken = contract.replace('soldOut: Boolean!', 'soldOut: Boolean').replace('totalSeats: Int!', 'seatCount: Int!');
  expect(findBreakingChanges(parseSchema(contract), parseSchema(broken)).map(({ type }) => type).sort()).toEqual(['FIELD_CHANGED_KIND', 'FIELD_REMOVED']);
});

test('the typed operations of the tests are what codegen makes (else: npm run codegen)', () => {
  expect(node('node_modules/@graphql-codegen/cli/cjs/bin.js', '--config', 'codegen.yml', '--check')).toBe('');
});

test('no file, export or dependency is there without use', () => {
  expect(node('node_modules/knip/bin/knip.js', '--no-progress')).toBe('');
});

test('the lock file is whole: npm ci finds every package in it', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { dependencies?: object; devDependencies?: object; optionalDependencies?: object }> };
  const manifest = JSON.parse(read('package.json')) as object;
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'] as const) expect(lock.packages['']![kind]).toEqual((manifest as Record<string, object>)[kind]);
  const missing = Object.entries(lock.packages).flatMap(([place, entry]) =>
    Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }).filter((name) => !resolves(lock.packages, place, name)).map((name) => `${place} needs ${name}`),
  );
  expect(missing).toEqual([]);
});

/** npm's own search: the package's folder, then each one above it. */
function resolves(packages: Record<string, unknown>, place: string, name: string): boolean {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (`${folder ? `${folder}/` : ''}node_modules/${name}` in packages) return true;
    if (folder === '') return false;
  }
}
