import { badInput } from './errors.js';
import { textOf } from './input.js';
import { assertAmount } from './money.js';
import { GRADE_MAX } from './seat-map.js';

export const VENUE_NAME_MAX = 200;
export const ADDRESS_MAX = 300;
export const TITLE_MAX = 200;
export const ARTIST_MAX = 200;
export const TIME_ZONE_MAX = 64;
/** The most one seat may cost: a hundred of them still add up exactly. */
export const PRICE_MAX = 1_000_000_000_000;
export const PRICES_MAX = 50;
export const SCHEDULES_PER_CONCERT_MAX = 200;
/** Instants outside are typing mistakes, and every one inside fits the database. */
export const INSTANT_MIN = new Date('2000-01-01T00:00:00.000Z');
export const INSTANT_MAX = new Date('2100-01-01T00:00:00.000Z');

export interface GradePrice {
  grade: string;
  amount: number;
}

/** What a change says about a value that must exist: not given keeps it, null is a mistake. */
export function changedOr<T>(field: string, given: T | null | undefined, current: T): T {
  if (given === null) throw badInput(field, 'Must not be null; leave it out to keep what is there.');
  return given ?? current;
}

export function dateTimeOf(field: string, instant: Date): Date {
  if (instant < INSTANT_MIN || instant >= INSTANT_MAX) throw badInput(field, 'Must be from the year 2000 to the year 2099.');
  return instant;
}

export function futureOf(field: string, instant: Date, now: Date): Date {
  if (dateTimeOf(field, instant) <= now) throw badInput(field, 'Must be in the future.');
  return instant;
}

/** When tickets are sold; without an end until the last date begins. */
export function salePeriodOf(opensAt: Date, closesAt: Date | null): { saleOpensAt: Date; saleClosesAt: Date | null } {
  dateTimeOf('saleOpensAt', opensAt);
  if (closesAt && dateTimeOf('saleClosesAt', closesAt) <= opensAt) throw badInput('saleClosesAt', 'The sale must close after it opens.');
  return { saleOpensAt: opensAt, saleClosesAt: closesAt };
}

const ZONE_NAME = /^(UTC|[A-Za-z_]+(\/[A-Za-z0-9_+-]+)+)$/;

export function timeZoneOf(field: string, value: string): string {
  if (value.length > TIME_ZONE_MAX || !ZONE_NAME.test(value)) throw badInput(field, 'Must be an IANA time zone name such as Asia/Seoul.');
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
  } catch {
    throw badInput(field, 'Must be an IANA time zone name such as Asia/Seoul.');
  }
  return value;
}

/** Prices to set: at least one, each grade once, each amount positive. */
export function pricesOf(field: string, prices: readonly GradePrice[]): GradePrice[] {
  if (prices.length === 0) throw badInput(field, 'Give at least one price.');
  if (prices.length > PRICES_MAX) throw badInput(field, `A concert has at most ${PRICES_MAX} grades.`);
  const checked = prices.map(({ grade, amount }, index) => {
    assertAmount(`${field}.${index}.amount`, amount, PRICE_MAX);
    return { grade: textOf(`${field}.${index}.grade`, grade, GRADE_MAX), amount };
  });
  if (new Set(checked.map(({ grade }) => grade)).size !== checked.length) throw badInput(field, 'A grade is there twice.');
  return checked;
}
