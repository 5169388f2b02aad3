import { DATE, HOLD_MS, PRICE, Story } from './story.js';

/** A refusal needs a reason at the time of the call: what was so before or afterwards is none. Each row is told once with the reason and once without. */

let story: Story;
beforeEach(() => {
  story = new Story();
});

const UNEXPLAINED = ['refusal-unexplained'];
/** Beyond what clocks may differ, and what the gate may believe. */
const LATER = 60_000;

const refuseSeat = (ms: number, user = 'ben', seat = 1): void => story.when(ms, () => story.callReserve(user, [seat], 'fail', { code: 'SeatsUnavailable', seatNumbers: [seat] }));
const refusePay = (ms: number, id: string, refusedStatus: string): void => story.when(ms, () => story.callPay('ann', id, 'fail', { code: 'ReservationNotPayable', refusedStatus }));
const refuseCancel = (ms: number, id: string, refusedStatus: string): void =>
  story.when(ms, () => story.call('cancel', 'ann', id, { reservationId: id }, 'fail', { code: 'ReservationNotCancellable', refusedStatus }));

describe('a seat that is refused', () => {
  test('is held, or was a moment ago', () => {
    story.hold('ann', [1], 20);
    refuseSeat(30);
    refuseSeat(20 + HOLD_MS + 900);
    expect(story.kinds()).toEqual([]);
  });

  test('is not one that has been free for long, or is reserved later', () => {
    story.hold('ann', [1], 20);
    refuseSeat(LATER);
    expect(story.kinds()).toEqual(UNEXPLAINED);
    story = new Story();
    story.when(LATER, () => story.hold('ann', [1], LATER));
    refuseSeat(30);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('may still be sold at the gate for 10 s after its refund, and no longer', () => {
    story.charge('ann', PRICE, 5);
    story.refund(story.pay(story.hold('ann', [1], 20), 30), 5000);
    refuseSeat(14_900);
    expect(story.kinds()).toEqual([]);
    refuseSeat(16_200);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('may be another’s whose call is unknown, for as long as a request has and the gate believes', () => {
    story.when(100, () => story.callReserve('ann', [1], 'unknown'));
    refuseSeat(15_000);
    expect(story.kinds()).toEqual([]);
    refuseSeat(15_200);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('may be an unknown other’s for longer where nobody was answered meanwhile', () => {
    story.when(100, () => story.callReserve('ann', [1], 'unknown'));
    story.when(20_000, () => story.callReserve('cat', [2], 'unknown'));
    refuseSeat(21_000);
    expect(story.kinds()).toEqual([]);
    story.when(200, () => story.hold('cat', [3], 205));
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('is not one’s own unknown', () => {
    story.when(100, () => story.callReserve('ben', [1], 'unknown'));
    refuseSeat(200);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('is not that of another who was refused it, but may be one of two of which the other was refused', () => {
    story.hold('ann', [1], 20);
    story.when(100, () => story.callReserve('cat', [1, 2], 'fail', { code: 'SeatsUnavailable', seatNumbers: [1] }));
    refuseSeat(105, 'ben', 2);
    expect(story.kinds()).toEqual([]);
    refuseSeat(200, 'ben', 2);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('is named', () => {
    story.callReserve('ben', [1], 'fail', { code: 'SeatsUnavailable', seatNumbers: [] });
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });
});

describe('a limit of seats', () => {
  const refuse = (ms: number, scheduleId = DATE): void =>
    story.when(ms, () => story.call('reserve', 'ann', `${scheduleId} 3`, { scheduleId, seatNumbers: [3] }, 'fail', { code: 'SeatLimitExceeded', limit: 2 }));

  test('counts what is held then, of all dates of the concert', () => {
    story.hold('ann', [1, 2], 20);
    refuse(30);
    story.hold('ben', [4], 20, 'ok', { scheduleId: 'second date' });
    refuse(40, 'second date');
    expect(story.kinds()).toEqual([]);
  });

  test('counts no hold that is over, given back, or not there yet', () => {
    story.hold('ann', [1, 2], 20);
    refuse(20 + HOLD_MS + 2000);
    expect(story.kinds()).toEqual(UNEXPLAINED);
    story = new Story();
    story.cancel(story.hold('ann', [1, 2], 20, 'ok', { lastsMs: LATER }), 1000);
    refuse(2500);
    expect(story.kinds()).toEqual(UNEXPLAINED);
    story = new Story();
    story.hold('ann', [1, 2], LATER);
    refuse(30);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('counts nothing of another concert', () => {
    story.hold('ann', [1, 2], 20, 'ok', { concertId: 'another', scheduleId: 'elsewhere' });
    story.hold('ben', [4], 20);
    refuse(30);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });
});

describe('a balance that is told', () => {
  const refuse = (ms: number, currentBalance: number, required = PRICE): void =>
    story.when(ms, () => story.callPay('ann', 'reservation-1', 'fail', { code: 'InsufficientBalance', currentBalance, required }));

  test('was the balance then', () => {
    story.hold('ann', [1], 20);
    story.charge('ann', 5, 5000);
    refuse(1000, 0);
    refuse(6500, 5);
    expect(story.kinds()).toEqual([]);
  });

  test.each([
    ['before it was', 1000, 5],
    ['when it was no longer', 6500, 0],
  ])('is not told %s', (_, ms, balance) => {
    story.hold('ann', [1], 20);
    story.charge('ann', 5, 5000);
    refuse(ms, balance);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('of a full account, too', () => {
    const refuseCharge = (ms: number, currentBalance: number): void =>
      story.when(ms, () => story.call('charge', 'ann', 'more', { amount: 6 }, 'fail', { code: 'BalanceLimitExceeded', limit: 10, currentBalance }));
    story.charge('ann', 5, 5000);
    refuseCharge(6500, 5);
    expect(story.kinds()).toEqual([]);
    refuseCharge(1000, 5);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });
});

describe('a status that is told', () => {
  test('EXPIRED not before the end', () => {
    const { id } = story.hold('ann', [1], 20, 'ok', { lastsMs: 5000 });
    refusePay(4500, id, 'EXPIRED');
    refuseCancel(5010, id, 'EXPIRED');
    expect(story.kinds()).toEqual([]);
    refusePay(3000, id, 'EXPIRED');
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('CONFIRMED from the payment to the refund, REFUNDED from then on', () => {
    story.charge('ann', PRICE, 5);
    const hold = story.hold('ann', [1], 10);
    story.refund(story.pay(hold, 20), 5000);
    refuseCancel(3000, hold.id, 'CONFIRMED');
    refuseCancel(6500, hold.id, 'REFUNDED');
    expect(story.kinds()).toEqual([]);
    refuseCancel(3000, hold.id, 'REFUNDED');
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('CONFIRMED neither after the refund nor to somebody who pays', () => {
    story.charge('ann', PRICE, 5);
    const hold = story.hold('ann', [1], 10);
    const payment = story.pay(hold, 20);
    refusePay(1000, hold.id, 'CONFIRMED');
    expect(story.kinds()).toEqual(UNEXPLAINED);
    story.history.operations.at(-1)!.outcome = 'unknown';
    story.refund(payment, 5000);
    expect(story.kinds()).toEqual([]);
    refuseCancel(6500, hold.id, 'CONFIRMED');
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('CANCELLED from the cancellation on; of a cancelled date also to holds that are not ended yet', () => {
    const hold = story.hold('ann', [1], 20, 'ok', { lastsMs: LATER });
    story.cancel(hold, 5000);
    refusePay(5010, hold.id, 'CANCELLED');
    expect(story.kinds()).toEqual([]);
    refusePay(2000, hold.id, 'CANCELLED');
    expect(story.kinds()).toEqual(UNEXPLAINED);
    story.cancelledDates.add(DATE);
    expect(story.kinds()).toEqual([]);
  });
});

describe('other refusals', () => {
  test('a key was used by then', () => {
    const refuse = (ms: number): void => story.when(ms, () => story.call('charge', 'ann', 'key', { amount: 6 }, 'fail', { code: 'IdempotencyKeyReused' }));
    story.charge('ann', 5, 5000, { key: 'key' });
    refuse(5010);
    expect(story.kinds()).toEqual([]);
    refuse(1000);
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('a date is closed when it was cancelled, and not found when there is none', () => {
    story.callReserve('ann', [1], 'fail', { code: 'SaleClosed' });
    expect(story.kinds()).toEqual(UNEXPLAINED);
    story.cancelledDates.add(DATE);
    story.call('reserve', 'ann', '', { scheduleId: 'nowhere', seatNumbers: [1] }, 'fail', { code: 'NOT_FOUND' });
    expect(story.kinds()).toEqual([]);
    story.callReserve('ann', [1], 'fail', { code: 'NOT_FOUND' });
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('the queue turns reserves away', () => {
    for (const code of ['QUEUE_TOKEN_REQUIRED', 'QUEUE_TOKEN_WAITING', 'QUEUE_TOKEN_EXPIRED']) story.callReserve('ann', [1], 'fail', { code });
    expect(story.kinds()).toEqual([]);
  });

  test.each([
    ['reserve', 'SaleNotOpen'],
    ['reserve', 'BAD_USER_INPUT'],
    ['reserve', 'RATE_LIMITED'],
    ['pay', 'QUEUE_TOKEN_REQUIRED'],
    ['pay', 'UNAUTHENTICATED'],
    ['cancel', 'FORBIDDEN'],
    ['charge', 'NOT_FOUND'],
    ['refund', 'PaymentNotRefundable'],
  ])('nothing explains %s %s', (name, code) => {
    story.call(name, 'ann', '', { scheduleId: DATE, seatNumbers: [1] }, 'fail', { code });
    expect(story.kinds()).toEqual(UNEXPLAINED);
  });

  test('what is asked beside the sale is judged elsewhere', () => {
    story.call('deleteSchedule', 'admin', '', {}, 'fail', { code: 'NOT_FOUND' });
    expect(story.kinds()).toEqual([]);
  });
});
