import { badInput } from './errors.js';
import { textOf } from './input.js';

/** A row of a section: `seatCount` seats side by side, all of one grade. */
export interface RowLayout {
  name: string;
  grade: string;
  seatCount: number;
}

export interface SectionLayout {
  name: string;
  rows: RowLayout[];
}

/** A seat as a layout gives it to a date. */
export interface LaidOutSeat {
  number: number;
  section: string;
  row: string;
  grade: string;
}

/** The most seats one date may have. */
export const SEATS_PER_SCHEDULE_MAX = 100_000;
export const SECTIONS_MAX = 500;
export const ROWS_PER_SECTION_MAX = 1000;
export const SECTION_NAME_MAX = 50;
export const ROW_NAME_MAX = 20;
export const GRADE_MAX = 20;
/** The most seats one removal may name. */
export const SEATS_REMOVED_MAX = 1000;

export const seatCountOf = (sections: readonly SectionLayout[]): number =>
  sections.reduce((sum, section) => sum + section.rows.reduce((inSection, row) => inSection + row.seatCount, 0), 0);

export const gradesOf = (sections: readonly SectionLayout[]): string[] => [...new Set(sections.flatMap((section) => section.rows.map((row) => row.grade)))];

/** A layout that can become a date: names unique where they must be, every row with seats, no more seats than a date may have. */
export function layoutOf(field: string, sections: readonly SectionLayout[]): SectionLayout[] {
  if (sections.length === 0) throw badInput(field, 'Give at least one section.');
  if (sections.length > SECTIONS_MAX) throw badInput(field, `A layout has at most ${SECTIONS_MAX} sections.`);
  const layout = sections.map((section, index) => sectionOf(`${field}.${index}`, section));
  refuseDoubled(field, 'section', layout);
  const seats = seatCountOf(layout);
  if (seats > SEATS_PER_SCHEDULE_MAX) throw badInput(field, `A date has at most ${SEATS_PER_SCHEDULE_MAX} seats; these are ${seats}.`);
  return layout;
}

function sectionOf(field: string, { name, rows }: SectionLayout): SectionLayout {
  if (rows.length === 0) throw badInput(`${field}.rows`, 'Give at least one row.');
  if (rows.length > ROWS_PER_SECTION_MAX) throw badInput(`${field}.rows`, `A section has at most ${ROWS_PER_SECTION_MAX} rows.`);
  const section = { name: textOf(`${field}.name`, name, SECTION_NAME_MAX), rows: rows.map((row, index) => rowOf(`${field}.rows.${index}`, row)) };
  refuseDoubled(`${field}.rows`, 'row', section.rows);
  return section;
}

function rowOf(field: string, { name, grade, seatCount }: RowLayout): RowLayout {
  if (!Number.isInteger(seatCount) || seatCount < 1 || seatCount > SEATS_PER_SCHEDULE_MAX) {
    throw badInput(`${field}.seatCount`, `Must be from 1 to ${SEATS_PER_SCHEDULE_MAX}.`);
  }
  return { name: textOf(`${field}.name`, name, ROW_NAME_MAX), grade: textOf(`${field}.grade`, grade, GRADE_MAX), seatCount };
}

function refuseDoubled(field: string, noun: string, named: readonly { name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of named) {
    if (seen.has(name)) throw badInput(field, `There are two ${noun}s ${name}.`);
    seen.add(name);
  }
}

/** The seats of a layout, numbered through from 1 in the order given. */
export function* laidOutSeatsOf(sections: readonly SectionLayout[]): Generator<LaidOutSeat> {
  let number = 0;
  for (const section of sections) {
    for (const row of section.rows) {
      for (let seat = 0; seat < row.seatCount; seat += 1) yield { number: (number += 1), section: section.name, row: row.name, grade: row.grade };
    }
  }
}
