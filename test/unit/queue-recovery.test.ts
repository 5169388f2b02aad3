import { lostPlace, type PassRow } from '../../src/domain/queue-recovery.js';
import { PLACES_PER_EPOCH } from '../../src/domain/queue.js';

const userId = 'u';
const at = (epoch: number, sequence = 1): number => epoch * PLACES_PER_EPOCH + sequence;
/** A pass that is over. */
const row = (place: number, change: Partial<PassRow> = {}): PassRow => ({
  userId, place, admitted: true, admittedEpoch: null, endedBy: 'TIME', remainingMs: -1, ...change,
});
const statusOf = (place: number, ...rows: PassRow[]) => lostPlace({ userId, place }, rows).status;

describe('Q10: a lost place', () => {
  test('is what its own row says, whatever the others say', () => {
    const elsewhere = row(at(0), { admittedEpoch: 2 });
    expect(statusOf(at(1))).toBe('WAITING');
    expect(statusOf(at(1), row(at(1), { admitted: false, endedBy: null, remainingMs: 5 }))).toBe('WAITING');
    expect(lostPlace({ userId, place: at(1) }, [elsewhere, row(at(1), { endedBy: null, remainingMs: 5 })])).toEqual({ status: 'ACTIVE', remainingMs: 5 });
    expect(statusOf(at(1), elsewhere, row(at(1), { endedBy: 'PAID' }))).toBe('COMPLETED');
    expect(statusOf(at(1), row(at(1), { endedBy: 'LEFT', admitted: false }))).toBe('EXPIRED');
    // Admitted before its own epoch was over, and after: it is the same place.
    expect(statusOf(at(1), row(at(1), { admittedEpoch: 2, endedBy: null, remainingMs: 5 }))).toBe('ACTIVE');
  });

  test('was given up by who was admitted at a newer one, and not by who only stood there', () => {
    expect(statusOf(at(0), row(at(1)))).toBe('EXPIRED');
    expect(statusOf(at(0), row(at(0, 2)))).toBe('EXPIRED');
    expect(statusOf(at(0), row(at(1), { admitted: false }))).toBe('WAITING');
  });

  test('was gone where its user was admitted at an older one in a later epoch than its own', () => {
    expect(statusOf(at(1), row(at(0), { admittedEpoch: 2 }))).toBe('EXPIRED');
    expect(statusOf(at(1, PLACES_PER_EPOCH - 1), row(at(0), { admittedEpoch: 2, endedBy: null, remainingMs: 5 }))).toBe('EXPIRED');
    expect(statusOf(at(1), row(at(1), { admitted: false, endedBy: null, remainingMs: 5 }), row(at(0), { admittedEpoch: 2 }))).toBe('EXPIRED');
    expect(statusOf(at(1), row(at(0), { admittedEpoch: 7, endedBy: 'PAID' }))).toBe('EXPIRED');
  });

  test('was not, where that was in its own epoch or an earlier one, or the epoch is not known: it may have been taken after that', () => {
    expect(statusOf(at(1), row(at(0), { admittedEpoch: 1 }))).toBe('WAITING');
    expect(statusOf(at(1), row(at(0), { admittedEpoch: 0, endedBy: 'PAID' }))).toBe('WAITING');
    expect(statusOf(at(1), row(at(0)))).toBe('WAITING');
    expect(statusOf(at(1), row(at(0), { admitted: false, admittedEpoch: null, endedBy: 'LEFT' }))).toBe('WAITING');
  });
});
