import { epochAfter, estimatedWaitSeconds, hasEnded, isNews, JOIN_LEAD_MS, joinWindow, placeOf, type Pace, type QueuePosition } from '../../src/domain/queue.js';

describe('places', () => {
  test('Q10: any place of a newer epoch stands behind every place of an older one', () => {
    expect(placeOf(1, 1)).toBeGreaterThan(placeOf(0, 2 ** 40 - 1));
    expect(placeOf(8191, 2 ** 40 - 2) + 1).toBeGreaterThan(placeOf(8191, 2 ** 40 - 2));
  });

  test('the epoch after a lost counter is behind every place that had a pass', () => {
    expect(epochAfter(null)).toBe(0);
    expect(epochAfter(placeOf(0, 12))).toBe(1);
    expect(epochAfter(placeOf(7, 2 ** 40 - 1))).toBe(8);
  });
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
  const at = (ms: number) => joinWindow(new Date(ms), opensAt, endsAt);
  expect(at(opensAt.getTime() - JOIN_LEAD_MS - 1)).toBe('early');
  expect(at(opensAt.getTime() - JOIN_LEAD_MS)).toBe('open');
  expect(at(endsAt.getTime() - 1)).toBe('open');
  expect(at(endsAt.getTime())).toBe('closed');
  expect(joinWindow(endsAt, opensAt, null)).toBe('open');
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
