import { assertOnSale, assertWithinLimit, endOfHold, isOver, isTaken, ownHoldOf } from '../../src/domain/hold.js';
import type { ReservationStatus, SeatStatus } from '../../src/domain/states.js';
import { HoldMember } from '../../src/services/hold.js';

const now = new Date('2026-05-01T12:00:00.000Z');
const [before, after] = [new Date(now.getTime() - 1), new Date(now.getTime() + 1)];
const hold = (status: ReservationStatus, expiresAt: Date, seatCount = 2, id = 'a') => ({ id, status, expiresAt, seatCount });
const seat = (status: SeatStatus, heldUntil: Date | null = null, reservationId: string | null = null) => ({ status, heldUntil, reservationId });

test('V2: a hold is over from the instant of its end on; what was paid or ended is not a hold', () => {
  expect(isOver(hold('HELD', after), now)).toBe(false);
  expect(isOver(hold('HELD', now), now)).toBe(true);
  expect(isOver(hold('HELD', before), now)).toBe(true);
  for (const status of ['CONFIRMED', 'CANCELLED', 'EXPIRED', 'REFUNDED'] as const) expect(isOver(hold(status, before), now)).toBe(false);
});

test('V1: a seat is taken while it is sold, or held by a hold that still lasts', () => {
  expect(isTaken(seat('AVAILABLE'), now)).toBe(false);
  expect(isTaken(seat('SOLD'), now)).toBe(true);
  expect(isTaken(seat('HELD', after), now)).toBe(true);
  expect(isTaken(seat('HELD', now), now)).toBe(false);
});

test('a date is sold from the opening of the sale until it closes or the date begins, whichever is first', () => {
  const refusal = (opensAt: Date, closesAt: Date | null, startsAt: Date): unknown => {
    try {
      return assertOnSale({ now, opensAt, closesAt, startsAt }) ?? 'on sale';
    } catch (error) {
      return error;
    }
  };
  expect(refusal(now, null, after)).toBe('on sale');
  expect(refusal(before, after, after)).toBe('on sale');
  expect(refusal(after, null, after)).toMatchObject({ typeName: 'SaleNotOpen' });
  expect(refusal(before, now, after)).toMatchObject({ typeName: 'SaleClosed' });
  expect(refusal(before, null, now)).toMatchObject({ typeName: 'SaleClosed' });
  expect(refusal(before, after, now)).toMatchObject({ typeName: 'SaleClosed' });
});

test('V1: a hold lasts its time, and never beyond the start of its date', () => {
  expect(endOfHold(now, 300, { startsAt: new Date(now.getTime() + 301) })).toEqual(new Date(now.getTime() + 300));
  expect(endOfHold(now, 300, { startsAt: new Date(now.getTime() + 299) })).toEqual(new Date(now.getTime() + 299));
});

test('V4: what is held or bought counts against the limit, a hold that is over does not', () => {
  const own = [hold('HELD', after, 1), hold('CONFIRMED', before, 2), hold('HELD', now, 4)];
  expect(() => assertWithinLimit(own, 1, 4, now)).not.toThrow();
  expect(() => assertWithinLimit(own, 2, 4, now)).toThrow(expect.objectContaining({ typeName: 'SeatLimitExceeded' }));
});

test('V7: a repeated reserve finds its hold by exactly the same seats, and only while it lasts', () => {
  const own = [hold('HELD', after)];
  const mine = seat('HELD', after, 'a');
  expect(ownHoldOf([mine, mine], own, now)).toBe(own[0]);
  expect(ownHoldOf([mine], own, now)).toBeUndefined();
  expect(ownHoldOf([mine, seat('AVAILABLE')], own, now)).toBeUndefined();
  expect(ownHoldOf([mine, seat('HELD', after, 'b')], own, now)).toBeUndefined();
  expect(ownHoldOf([mine, mine], [hold('HELD', now)], now)).toBeUndefined();
  expect(ownHoldOf([mine, mine], [hold('CONFIRMED', after)], now)).toBeUndefined();
  expect(ownHoldOf([mine, mine], [], now)).toBeUndefined();
});

test('V2: a seat whose hold ends after it was seen is not refused as taken: it is looked at once more', () => {
  const request = { attemptId: 'b', userId: 'u', concertId: 'c', scheduleId: 'd', numbers: [1] };
  const asked = (judgedAt: Date) => {
    const member = new HoldMember(request);
    member.judgeDate(new Map([['d', { id: 'd', startsAt: new Date(now.getTime() + 1000), opensAt: before, closesAt: null, deletedAt: null, cancelledAt: null }]]), true);
    member.see({ rows: new Map([['d 1', { ...seat('HELD', after, 'a'), scheduleId: 'd', number: 1 }]]), now }, new Map());
    member.judgeSeen({ reservations: new Map(), holders: new Map([['a', 'other']]) }, { holdTtlMs: 1, seatsPerUserMax: 1 }, judgedAt, true);
    return member.outcome;
  };
  expect(asked(now)).toMatchObject({ error: { typeName: 'SeatsUnavailable' } });
  expect(asked(after)).toBe('aside');
});
