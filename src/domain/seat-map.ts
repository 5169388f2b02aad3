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

/** The most seats one date may have. */
export const SEATS_PER_SCHEDULE_MAX = 100_000;

export const seatCountOf = (sections: readonly SectionLayout[]): number =>
  sections.reduce((sum, section) => sum + section.rows.reduce((inSection, row) => inSection + row.seatCount, 0), 0);

export const gradesOf = (sections: readonly SectionLayout[]): string[] => [...new Set(sections.flatMap((section) => section.rows.map((row) => row.grade)))];
