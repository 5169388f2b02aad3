import {
  estimatedWaitSeconds, hasEnded, isNews, JOIN_LEAD_MS, joinWindow, PLACES_PER_EPOCH, saleHasOpened, saleIsOver, type Pace, type QueuePosition, type Sale,
} from '../../src/domain/queue.js';

test('places are exact in thousands of epochs', () => {
  expect(Number.isSafeInteger(8192 * PLACES_PER_EPOCH - 1)).toBe(true);
});

describe('Q7: the estimated wait', () => {
  const pace = (change: Partial<Pace> = {}): Pace => ({ admissions: [10, 20, 30], intervalMs: 10_000, sinceAdmissionMs: 4000, full: false, ...change });

  test('is the position at the average pace of the last five intervals', () => {
    expect(estimatedWaitSeconds(1, pace())).toBe(1);
    expect(estimatedWaitSeconds(40, pace())).toBe(20);
    expect(estimatedWaitSeconds(50, pace({ admissions: [10, 10, 10, 10, 10, 500] }))).toBe(50);
    expect(estimatedWaitSeconds(7, pace({ admissions: [0, 1], intervalMs: 500, sinceAdmissionMs: 900 }))).toBe(7);
  });

  test('is unknown until one interval has passed and while admission stands still', () => {
    expect(estimatedWaitSeconds(1, pace({ admissions: [] }))).toBeNull();
    expect(estimatedWaitSeconds(1, pace({ admissions: [0, 0] }))).toBeNull();
    expect(estimatedWaitSeconds(1, pace({ sinceAdmissionMs: null }))).toBeNull();
    expect(estimatedWaitSeconds(1, pace({ sinceAdmissionMs: 10_000, full: true }))).toBeNull();
    expect(estimatedWaitSeconds(1, pace({ sinceAdmissionMs: 10_000, full: false }))).toBe(1);
    expect(estimatedWaitSeconds(1, pace({ sinceAdmissionMs: 20_000 }))).toBeNull();
  });
});

test('Q1: a queue can be joined from an hour before the sale opens until it ends', () => {
  const opensAt = new Date('2026-11-20T12:00:00Z');
  const endsAt = new Date('2026-11-21T12:00:00Z');
  const at = (ms: number) => joinWindow({ now: new Date(ms), opensAt, closesAt: endsAt, lastStartsAt: null });
  expect(at(opensAt.getTime() - JOIN_LEAD_MS - 1)).toBe('early');
  expect(at(opensAt.getTime() - JOIN_LEAD_MS)).toBe('open');
  expect(at(endsAt.getTime() - 1)).toBe('open');
  expect(at(endsAt.getTime())).toBe('closed');
});

test('a sale is over once it has closed or every date has begun, whichever comes first', () => {
  const [before, now, after] = [new Date(1000), new Date(2000), new Date(3000)];
  const sale = (change: Partial<Sale>): Sale => ({ now, opensAt: before, closesAt: null, lastStartsAt: null, ...change });
  expect([sale({}), sale({ closesAt: after }), sale({ lastStartsAt: after })].map(saleIsOver)).toEqual([false, false, false]);
  expect([sale({ closesAt: now }), sale({ lastStartsAt: now }), sale({ closesAt: after, lastStartsAt: before })].map(saleIsOver)).toEqual([true, true, true]);
  expect([before, now, after].map((opensAt) => saleHasOpened(sale({ opensAt })))).toEqual([true, true, false]);
});

describe('Q3: what a watcher is told', () => {
  const position = (change: Partial<QueuePosition> = {}): QueuePosition => ({
    concertId: 'c', userId: 'u', status: 'WAITING', position: 3, waiting: 9, estimatedWaitSeconds: null, expiresAt: null, seatsMayRemain: true, ...change,
  });

  test('is the first position and every change of one’s own', () => {
    expect(isNews(null, position())).toBe(true);
    expect(isNews(position(), position({ position: 2 }))).toBe(true);
    expect(isNews(position(), position({ status: 'ACTIVE', position: 3 }))).toBe(true);
    expect(isNews(position(), position({ seatsMayRemain: false }))).toBe(true);
    expect(isNews(position(), position({ estimatedWaitSeconds: 8 }))).toBe(true);
    expect(isNews(position({ expiresAt: new Date(1) }), position({ expiresAt: new Date(2) }))).toBe(true);
  });

  test('is not that others came or that the estimate ticked', () => {
    expect(isNews(position(), position({ waiting: 10 }))).toBe(false);
    expect(isNews(position({ estimatedWaitSeconds: 8 }), position({ estimatedWaitSeconds: 7 }))).toBe(false);
  });

  test('ends with COMPLETED or EXPIRED', () => {
    expect((['WAITING', 'ACTIVE', 'COMPLETED', 'EXPIRED'] as const).map((status) => hasEnded(position({ status })))).toEqual([false, false, true, true]);
  });
});
