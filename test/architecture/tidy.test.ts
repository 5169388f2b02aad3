import { parseSync } from '@swc/core';
import { checkout, filesOf, read } from '../support/sources.js';

const LINES_MAX = 400;
const GENERATED = ['test/graphql/operations.ts'];
const sources = [...filesOf('src', '.ts'), ...filesOf('scripts', '.{ts,mjs}'), ...filesOf('drills', '.ts'), ...filesOf('bench', '.ts'), ...filesOf('web', '.js')];
const code = [...sources, ...filesOf('test', '.ts')].filter((file) => !GENERATED.includes(file));
/** The two lists that must name every one of their kind. */
const BARRELS = ['src/resolvers/index.ts', 'src/workers/index.ts'];

const lines = (file: string): string[] => read(file).split('\n');
const withLine = (files: string[], wanted: (line: string) => boolean): string[] =>
  files.flatMap((file) => lines(file).flatMap((line, index) => (wanted(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])));

test('the files are found', () => expect(code.length).toBeGreaterThan(80));

test(`no file is longer than ${LINES_MAX} lines`, () => {
  expect(code.filter((file) => lines(file).length > LINES_MAX)).toEqual([]);
});

test('nothing is exported by default: a thing has one name everywhere', () => {
  expect(withLine(code, (line) => line.startsWith('export default'))).toEqual([]);
});

test('no file only passes others on, but for the two lists', () => {
  expect(withLine(sources.filter((file) => !BARRELS.includes(file)), (line) => /^export (\*|\{[^}]*\}) from /.test(line))).toEqual([]);
});

/** How often the type is written in what was parsed. */
function anysIn(node: unknown): number {
  if (typeof node !== 'object' || node === null) return 0;
  const isAny = 'type' in node && node.type === 'TsKeywordType' && 'kind' in node && node.kind === 'any';
  return Object.values(node).reduce<number>((sum, child) => sum + anysIn(child), isAny ? 1 : 0);
}
const anysOf = (source: string): number => anysIn(parseSync(source, { syntax: 'typescript', decorators: true, target: 'esnext' }));

test('product code has no `any`, but for the arguments of any field', () => {
  // Texts that only the check reads: each use of the type is found, and the mere word is not.
  for (const line of ['const x: any = 1', 'type M = Map<string, any>', 'y = x as any', 'function f(...args: any[]) {}', 'type T = string | any', 'const f = async (): Promise<any> => 1']) expect([line, anysOf(line)]).toEqual([line, 1]);
  for (const line of ['/** any: 1 */', "const x = 'as any'", 'const any = { any: 1 }']) expect([line, anysOf(line)]).toEqual([line, 0]);
  const files = filesOf('src', '.ts').filter((file) => file !== 'src/resolvers/access.ts');
  expect(files.filter((file) => anysOf(read(file)) > 0)).toEqual([]);
});

test('nothing is left to be done later', () => {
  // Written so that the pattern does not find itself.
  const later = /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/;
  expect(['TO', 'DO'].join('')).toMatch(later);
  expect(withLine(code, (line) => later.test(line))).toEqual([]);
});

test('no test is left out or alone', () => {
  expect(withLine(filesOf('test', '.test.ts').filter((file) => !file.endsWith('tidy.test.ts')), (line) => /\b(test|it|describe)\.(only|skip|todo)\b|\b(xit|xtest|fit)\(/.test(line))).toEqual([]);
});

test('no test sleeps: it waits for what it waits for', () => {
  const sleeps = (line: string): boolean => /\bsetTimeout\((resolve|done|r)\b|await (sleep|delay)\(/.test(line);
  expect(withLine(filesOf('test', '.test.ts').filter((file) => !file.endsWith('tidy.test.ts')), sleeps)).toEqual([]);
});

test('no file names a place on the machine of one of us', () => {
  const files = checkout().filter((file) => /\.(ts|mjs|js|json|md|ya?ml|graphql|lua|template|html)$|^\.ci\/|^Dockerfile$|^\.env\.example$/.test(file));
  expect(files).toEqual(expect.arrayContaining(['.ci/run', 'Dockerfile', '.env.example', 'README.md']));
  const places = (line: string): boolean => /\/home\/|\/root\b|\/Users\/|\/work\//.test(line);
  expect(withLine(files.filter((file) => !file.endsWith('tidy.test.ts')), places)).toEqual([]);
});
