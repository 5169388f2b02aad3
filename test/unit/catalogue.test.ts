import { changedOr, futureOf, INSTANT_MAX, INSTANT_MIN, PRICE_MAX, PRICES_MAX, pricesOf, salePeriodOf, timeZoneOf } from '../../src/domain/catalogue.js';
import { RequestError } from '../../src/domain/errors.js';
import { ACTIVE_MAX_MAX, ADMIT_COUNT_MAX, ADMIT_INTERVAL_MAX_MS, changedQueuePolicy, queuePolicyOf } from '../../src/domain/queue-policy.js';
import {
  GRADE_MAX, laidOutSeatsOf, layoutOf, ROW_NAME_MAX, ROWS_PER_SECTION_MAX, SEATS_PER_SCHEDULE_MAX, SECTION_NAME_MAX, SECTIONS_MAX, seatCountOf,
} from '../../src/domain/seat-map.js';

/** The field that a refused input names. */
function fieldOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof RequestError && error.code === 'BAD_USER_INPUT') return error.extensions.field;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

const row = (change: object = {}) => ({ name: 'A', grade: 'R', seatCount: 10, ...change });
const section = (change: object = {}) => ({ name: 'Floor', rows: [row()], ...change });
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));

test('C3: a layout numbers its seats through, section by section and row by row', () => {
  const layout = layoutOf('sections', [section({ rows: [row({ seatCount: 2 }), row({ name: 'B', grade: 'S', seatCount: 1 })] }), section({ name: ' Balcony ', rows: [row({ seatCount: 1 })] })]);
  expect([...laidOutSeatsOf(layout)]).toEqual([
    { number: 1, section: 'Floor', row: 'A', grade: 'R' },
    { number: 2, section: 'Floor', row: 'A', grade: 'R' },
    { number: 3, section: 'Floor', row: 'B', grade: 'S' },
    { number: 4, section: 'Balcony', row: 'A', grade: 'R' },
  ]);
  expect(seatCountOf(layout)).toBe(4);
});

test.each([
  ['no section', [], 'sections'],
  ['too many sections', many(SECTIONS_MAX + 1, (index) => section({ name: `${index}` })), 'sections'],
  ['two sections of one name', [section(), section({ name: 'Floor ' })], 'sections'],
  ['a section without rows', [section(), section({ name: 'B', rows: [] })], 'sections.1.rows'],
  ['too many rows', [section({ rows: many(ROWS_PER_SECTION_MAX + 1, (index) => row({ name: `${index}` })) })], 'sections.0.rows'],
  ['two rows of one name', [section({ rows: [row(), row()] })], 'sections.0.rows'],
  ['an empty section name', [section({ name: '  ' })], 'sections.0.name'],
  ['a long section name', [section({ name: 'x'.repeat(SECTION_NAME_MAX + 1) })], 'sections.0.name'],
  ['a long row name', [section({ rows: [row({ name: 'x'.repeat(ROW_NAME_MAX + 1) })] })], 'sections.0.rows.0.name'],
  ['a long grade', [section({ rows: [row({ grade: 'x'.repeat(GRADE_MAX + 1) })] })], 'sections.0.rows.0.grade'],
  ['a row of no seats', [section({ rows: [row(), row({ name: 'B', seatCount: 0 })] })], 'sections.0.rows.1.seatCount'],
  ['a row of half a seat', [section({ rows: [row({ seatCount: 0.5 })] })], 'sections.0.rows.0.seatCount'],
  ['a row of too many seats', [section({ rows: [row({ seatCount: SEATS_PER_SCHEDULE_MAX + 1 })] })], 'sections.0.rows.0.seatCount'],
  ['one seat too many in all', [section({ rows: [row({ seatCount: SEATS_PER_SCHEDULE_MAX }), row({ name: 'B', seatCount: 1 })] })], 'sections'],
])('C4: a layout with %s is refused by field', (_what, sections, field) => {
  expect(fieldOf(() => layoutOf('sections', sections))).toBe(field);
});

test('C2: a layout may have as many seats, sections and rows as the bounds say', () => {
  expect(seatCountOf(layoutOf('sections', [section({ rows: [row({ seatCount: SEATS_PER_SCHEDULE_MAX })] })]))).toBe(SEATS_PER_SCHEDULE_MAX);
  expect(layoutOf('sections', many(SECTIONS_MAX, (index) => section({ name: `${index}` })))).toHaveLength(SECTIONS_MAX);
  expect(layoutOf('sections', [section({ rows: many(ROWS_PER_SECTION_MAX, (index) => row({ name: `${index}` })) })])[0]!.rows).toHaveLength(ROWS_PER_SECTION_MAX);
});

test.each([
  ['none', [], 'prices'],
  ['too many', many(PRICES_MAX + 1, (index) => ({ grade: `${index}`, amount: 1 })), 'prices'],
  ['a grade twice', [{ grade: 'R', amount: 1 }, { grade: ' R', amount: 2 }], 'prices'],
  ['an amount of zero', [{ grade: 'R', amount: 0 }], 'prices.0.amount'],
  ['too high an amount', [{ grade: 'R', amount: PRICE_MAX + 1 }], 'prices.0.amount'],
  ['an empty grade', [{ grade: 'S', amount: 1 }, { grade: '', amount: 1 }], 'prices.1.grade'],
])('C3: prices with %s are refused by field', (_what, prices, field) => {
  expect(fieldOf(() => pricesOf('prices', prices))).toBe(field);
});

test('C3: the dearest seats that one user may buy still add up exactly', () => {
  expect(pricesOf('prices', [{ grade: 'R', amount: PRICE_MAX }])).toHaveLength(1);
  expect(Number.isSafeInteger(PRICE_MAX * 100)).toBe(true);
});

test('C4: a sale closes after it opens, or with its last date', () => {
  const opens = new Date('2026-12-01T00:00:00.000Z');
  expect(salePeriodOf(opens, null)).toEqual({ saleOpensAt: opens, saleClosesAt: null });
  expect(fieldOf(() => salePeriodOf(opens, opens))).toBe('saleClosesAt');
  expect(fieldOf(() => salePeriodOf(new Date(INSTANT_MIN.getTime() - 1), null))).toBe('saleOpensAt');
  expect(fieldOf(() => salePeriodOf(opens, INSTANT_MAX))).toBe('saleClosesAt');
  expect(fieldOf(() => futureOf('startsAt', opens, opens))).toBe('startsAt');
});

test.each(['Asia/Seoul', 'UTC', 'America/Argentina/Buenos_Aires', 'Etc/GMT+9'])('%s is a time zone', (name) => {
  expect(timeZoneOf('timeZone', name)).toBe(name);
});
test.each(['', 'Seoul', 'Asia/Nowhere', '+09:00', 'x/'.repeat(40)])('%j is no time zone', (name) => {
  expect(fieldOf(() => timeZoneOf('timeZone', name))).toBe('timeZone');
});

test('what a change leaves out stays; null for what must exist is refused', () => {
  expect(changedOr('title', undefined, 'old')).toBe('old');
  expect(changedOr('title', 'new', 'old')).toBe('new');
  expect(fieldOf(() => changedOr('title', null, 'old'))).toBe('title');
});

test("Q7: a concert's own queue policy wins over the configuration, setting by setting", () => {
  const defaults = { admitCount: 200, admitIntervalMs: 10_000, activeMax: 2000 };
  const own = changedQueuePolicy({}, { admitCount: 5, activeMax: 0 });
  expect(queuePolicyOf(own, defaults)).toEqual({ admitCount: 5, admitIntervalMs: 10_000, activeMax: 0 });
  expect(queuePolicyOf(changedQueuePolicy(own, { admitCount: null }), defaults)).toEqual({ admitCount: 200, admitIntervalMs: 10_000, activeMax: 0 });
});

test.each([
  ['admitCount', 0], ['admitCount', ADMIT_COUNT_MAX + 1], ['admitIntervalMs', 0], ['admitIntervalMs', ADMIT_INTERVAL_MAX_MS + 1],
  ['activeMax', -1], ['activeMax', ACTIVE_MAX_MAX + 1],
])('Q7: %s of %i is refused by field', (field, value) => {
  expect(fieldOf(() => changedQueuePolicy({}, { [field]: value }))).toBe(field);
});
