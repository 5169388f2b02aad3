import type { GradePrice } from '../../domain/catalogue.js';
import type { SectionLayout } from '../../domain/seat-map.js';

/** What the demo shows: two halls and three concerts, told relative to the moment of seeding. */

export interface DemoVenue {
  name: string;
  address: string;
  timeZone: string;
  sections: SectionLayout[];
}

export interface DemoConcert {
  venue: DemoVenue;
  title: string;
  artist: string;
  /** Minutes from now to the opening of the sale; negative: it is open. */
  opensInMinutes: number;
  prices: GradePrice[];
  /** Days from now to each date. */
  datesInDays: number[];
  /** When the concert begins, by the clock of Seoul. */
  hour: number;
}

const rows = (names: readonly string[], grade: string, seatCount: number) => names.map((name) => ({ name, grade, seatCount }));
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index + 1));

/** Fifty seats: numbers 1–50. */
const CLUB: DemoVenue = {
  name: '연남 소극장 온기',
  address: '서울특별시 마포구 연남로 35, 지하 1층',
  timeZone: 'Asia/Seoul',
  sections: [{ name: 'Floor', rows: [...rows(['A'], 'VIP', 10), ...rows(['B', 'C'], 'R', 10), ...rows(['D', 'E'], 'S', 10)] }],
};

/** 12,000 seats: 1,600 VIP, 4,400 R and 6,000 S. */
const ARENA: DemoVenue = {
  name: '한빛 아레나',
  address: '인천광역시 중구 하늘로 120',
  timeZone: 'Asia/Seoul',
  sections: [
    ...['F1', 'F2', 'F3', 'F4'].map((name) => ({ name, rows: rows(numbered(20), 'VIP', 20) })),
    ...numbered(11).map((section) => ({ name: `1${section.padStart(2, '0')}`, rows: rows(numbered(20), 'R', 20) })),
    ...numbered(12).map((section) => ({ name: `2${section.padStart(2, '0')}`, rows: rows(numbered(20), 'S', 25) })),
  ],
};

const CLUB_PRICES: GradePrice[] = [
  { grade: 'VIP', amount: 88_000 },
  { grade: 'R', amount: 66_000 },
  { grade: 'S', amount: 44_000 },
];

const ARENA_PRICES: GradePrice[] = [
  { grade: 'VIP', amount: 198_000 },
  { grade: 'R', amount: 165_000 },
  { grade: 'S', amount: 132_000 },
];

/** In this order; the last one is the newest and so the first that clients see. */
export const DEMO_CONCERTS: readonly DemoConcert[] = [
  { venue: CLUB, title: '겨울밤 어쿠스틱', artist: '도윤', opensInMinutes: 30, prices: CLUB_PRICES, datesInDays: [49, 50], hour: 19 },
  { venue: ARENA, title: 'SEOULFUL WORLD TOUR', artist: 'NOVA SEVEN', opensInMinutes: -60, prices: ARENA_PRICES, datesInDays: [70], hour: 18 },
  { venue: CLUB, title: '달빛 소극장 콘서트', artist: '이서하', opensInMinutes: -60, prices: CLUB_PRICES, datesInDays: [28, 29, 35], hour: 19 },
];
