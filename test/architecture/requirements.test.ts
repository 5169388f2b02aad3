import { filesOf, read } from '../support/sources.js';

/** The rows of docs/requirements.md that are done. A row comes in here with its first test. */
const DONE =
  'Q1 Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11 Q12 C1 C2 C3 C4 C5 C6 C7 V1 V2 V3 V4 V5 V6 V7 V8 W1 W2 W3 W4 P1 P2 P3 P4 P5 P6 U1 U2 U3 O1 O2 O3 O4 O6 O7'.split(' ');

const rows = [...read('docs/requirements.md').matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id!);

/** `'V1, V4: …'`, `'V1 V4: …'`, `'V1–V4: …'` → the ids in front of the colon. */
function idsOf(title: string): string[] {
  const [, list] = /^((?:[A-Z]\d+(?:, | |[–-]))*[A-Z]\d+):/.exec(title) ?? [];
  return [...(list ?? '').matchAll(/([A-Z])(\d+)(?:[–-]\1(\d+))?/g)].flatMap(([, letter, first, last]) =>
    Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, index) => `${letter}${Number(first) + index}`),
  );
}

/** Titles stand right after the parenthesis; those of a table after the table's. */
const titlesOf = (source: string): string[] =>
  [...source.matchAll(/^\s*(?:test|describe)(?:\.each\(.*?\))?\(\s*(['"`])(.*?)\1,/gms)].map(([, , title]) => title!);

const named = new Map<string, string[]>();
for (const file of filesOf('test', '.test.ts')) for (const title of titlesOf(read(file))) for (const id of idsOf(title)) named.set(id, [...(named.get(id) ?? []), file]);

test('O6: each requirement that is done has a test whose title begins with its id', () => {
  expect(rows.length).toBeGreaterThan(40);
  expect(DONE.filter((id) => !rows.includes(id))).toEqual([]);
  expect(DONE.filter((id) => !named.has(id))).toEqual([]);
});

test('no test names a requirement that is not there', () => {
  expect([...named.keys()].filter((id) => !rows.includes(id))).toEqual([]);
});

test('the scan reads the forms that titles take', () => {
  expect(idsOf('V1, V4, V5: holds')).toEqual(['V1', 'V4', 'V5']);
  expect(idsOf('Q1 Q3 Q7: joins')).toEqual(['Q1', 'Q3', 'Q7']);
  expect(idsOf('Q1–Q3: joins')).toEqual(['Q1', 'Q2', 'Q3']);
  expect(idsOf('what V1 says: nothing')).toEqual([]);
  expect(titlesOf("test.each(fields)('Q2: $name', async () => {\ntest(\n  \"U3: another's\",\n")).toEqual(['Q2: $name', "U3: another's"]);
});

test('O6: coverage has a floor, and a run below it fails', async () => {
  const floor = JSON.parse(read('coverage-floor.json')) as Record<string, number>;
  expect(Object.keys(floor).sort()).toEqual(['branches', 'functions', 'lines', 'statements']);
  for (const percent of Object.values(floor)) expect(percent).toBeGreaterThan(70);
  expect(read('jest.config.mjs')).toContain('coverageThreshold: { global: floor }');
  expect(read('.ci/run')).toContain('npm test -- --coverage');
});
