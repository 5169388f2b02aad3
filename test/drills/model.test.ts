import { compareShown } from '../../drills/support/settle.js';
import { PRICE, Story } from './story.js';

/** The checker of the drills finds each kind of violation: these are the negative controls of every drill that passes. */

let story: Story;
beforeEach(() => {
  story = new Story();
});

/** Ann has bought seat 1. */
function sold() {
  story.charge('ann', 3 * PRICE, 10);
  const hold = story.hold('ann', [1], 20);
  return { hold, payment: story.pay(hold, 30) };
}

describe('a history in which everything is as it should be', () => {
  test('a sale with refusals, a refund, a cancelled and an expired hold is clean', () => {
    const { hold, payment } = sold();
    story.charge('ben', PRICE, 11);
    story.callReserve('ben', [1], 'fail', { code: 'SeatsUnavailable', seatNumbers: [1] });
    story.callReserve('ann', [2, 3], 'fail', { code: 'SeatLimitExceeded', limit: 2 });
    story.refund(payment, 40);
    story.callPay('ann', hold.id, 'fail', { code: 'ReservationNotPayable', refusedStatus: 'REFUNDED' });
    const second = story.hold('ben', [1], 50);
    story.cancel(second, 60);
    story.hold('ben', [1], 70);
    story.pay(story.hold('ben', [1], 1070), 1080);
    story.callPay('cat', story.hold('cat', [2], 90).id, 'fail', { code: 'InsufficientBalance', currentBalance: 0, required: PRICE });
    story.call('reservation', 'ann', hold.id, { id: hold.id }, 'ok', { id: hold.id, status: 'REFUNDED' });
    expect(story.kinds()).toEqual([]);
  });

  test('what is unknown may have been done', () => {
    story.charge('ann', PRICE, 10, { outcome: 'unknown' });
    story.pay(story.hold('ann', [1], 20, 'unknown'), 30, 'unknown');
    expect(story.kinds()).toEqual([]);
  });

  test('what is unknown may not have been done', () => {
    const { hold } = sold();
    story.callReserve('ben', [2], 'unknown');
    story.call('charge', 'ben', 'key', { amount: 1, idempotencyKey: 'key' }, 'unknown');
    story.callPay('ann', hold.id, 'unknown');
    expect(story.kinds()).toEqual([]);
  });

  test('things of one millisecond may have happened in any order that makes sense', () => {
    story.charge('ann', PRICE, 10);
    story.refund(story.pay(story.hold('ann', [1], 20), 30), 40);
    story.pay(story.hold('ann', [1], 40), 40);
    story.final.reservations.reverse();
    story.final.payments.reverse();
    expect(story.kinds()).toEqual([]);
  });
});

describe('seats', () => {
  test('a seat that was sold twice', () => {
    sold();
    story.charge('ben', PRICE, 11);
    story.pay(story.hold('ben', [1], 50), 60);
    expect(story.kinds()).toContain('double-sale');
  });

  test('two holds of a seat at the same time', () => {
    story.hold('ann', [1, 2], 20);
    story.hold('ben', [2, 3], 1019);
    expect(story.kinds()).toEqual(['overlapping-holds']);
  });

  test('a hold that begins as the one before ends is fine', () => {
    story.hold('ann', [1, 2], 20);
    story.hold('ben', [2, 3], 1020);
    expect(story.kinds()).toEqual([]);
  });

  test('a hold that ended before its time', () => {
    story.hold('ann', [1], 20).updatedAt -= 1;
    expect(story.kinds()).toEqual(['ended-early']);
  });

  test('a hold that its buyer gave back when it was over', () => {
    story.cancel(story.hold('ann', [1], 20), 1020);
    story.cancel(story.hold('ben', [2], 20), 1019);
    expect(story.kinds()).toEqual(['late-cancel']);
  });

  test('a payment after the end of the hold', () => {
    story.charge('ann', PRICE, 10);
    story.pay(story.hold('ann', [1], 20), 1020);
    expect(story.kinds()).toEqual(['late-payment']);
  });

  test('more seats than one user may have', () => {
    story.hold('ann', [1, 2], 20);
    story.hold('ann', [3], 30);
    expect(story.kinds()).toEqual(['seat-limit']);
  });

  test('a seat that is left sold to nobody', () => {
    sold();
    Object.assign(story.final.seats[3]!, { status: 'SOLD', reservationId: null });
    expect(story.kinds()).toEqual(['wrong-seat']);
  });
});

describe('acknowledged results', () => {
  test('a payment that was acknowledged and is not there', () => {
    const { payment } = sold();
    story.final.payments = [];
    story.final.ledger = story.final.ledger.filter(({ sourceId }) => sourceId !== payment.id);
    story.final.balances.set('ann', 3 * PRICE);
    Object.assign(story.final.reservations[0]!, { status: 'EXPIRED', updatedAt: story.final.reservations[0]!.expiresAt });
    Object.assign(story.final.seats[0]!, { status: 'AVAILABLE', reservationId: null });
    expect(story.kinds()).toEqual(['lost-result']);
  });

  test('a hold, a charge, a cancellation or a refund that was acknowledged and is not there', () => {
    story.hold('ann', [1], 20);
    story.final.reservations = [];
    expect(story.kinds()).toEqual(['lost-result']);
    for (const lose of [loseCharge, loseCancellation, loseRefund]) {
      story = new Story();
      lose();
      expect(story.kinds()).toContain('lost-result');
    }
  });

  test('an answer that told another balance than there was', () => {
    const { payment } = sold();
    payment.balance += 1;
    expect(story.kinds()).toEqual(['lost-result', 'balance']);
  });

  test('a reservation that is shown as it was before it was paid', () => {
    const { hold } = sold();
    story.call('reservation', 'ann', hold.id, { id: hold.id }, 'ok', { id: hold.id, status: 'HELD' });
    expect(story.kinds()).toEqual(['stale-read']);
  });

  test('a reservation that is not shown after it was acknowledged', () => {
    const { hold } = sold();
    story.call('reservation', 'ann', hold.id, { id: hold.id }, 'ok', null);
    expect(story.kinds()).toEqual(['stale-read']);
  });
});

describe('faults of the server', () => {
  test.each(['INTERNAL_SERVER_ERROR', 'an error without a code', 'neither data nor errors', 'HTTP 500', 'HTTP 200'])('%s, whatever was asked', (code) => {
    story.call('me', 'ann', '', {}, 'unknown', { code });
    expect(story.kinds()).toEqual(['server-fault']);
  });

  test.each(['SERVICE_UNAVAILABLE', 'HTTP 502', 'HTTP 503', 'ECONNRESET', 'TIMEOUT'])('%s is none', (code) => {
    story.call('me', 'ann', '', {}, 'unknown', { code });
    expect(story.kinds()).toEqual([]);
  });
});

describe('the API at the end', () => {
  test('shows all payments, at most a page of them', () => {
    const { hold, payment } = sold();
    const me = { balance: story.balanceOf('ann'), reservations: [{ ...hold }], payments: [payment] };
    const differences = (shown: typeof me): string[] => compareShown(new Map([['ann', shown]]), story.final).map(({ what }) => what);
    expect(differences(me)).toEqual([]);
    expect(differences({ ...me, payments: [] })).toEqual([expect.stringContaining('0 payments, 1 too few')]);
    story.final.payments.push({ ...payment, id: 'another' });
    expect(differences({ ...me, payments: [payment, payment] })).toEqual([expect.stringContaining('1 payments, 1 too few')]);
    story.final.payments = Array.from({ length: 101 }, (_, index) => ({ ...payment, id: `payment ${index}` }));
    expect(differences({ ...me, payments: story.final.payments.slice(1) })).toEqual([]);
  });
});

describe('definite answers', () => {
  test('a hold, a payment and a charge that were refused and made all the same', () => {
    story.hold('ann', [1], 20, 'fail');
    expect(story.kinds()).toContain('effect-of-fail');

    story = new Story();
    story.charge('ann', PRICE, 10);
    story.pay(story.hold('ann', [1], 20), 30, 'fail');
    expect(story.kinds()).toContain('effect-of-fail');

    story = new Story();
    story.charge('ann', PRICE, 10, { outcome: 'fail' });
    expect(story.kinds()).toContain('effect-of-fail');
  });

  test('two holds from one call of unknown outcome', () => {
    story.hold('ann', [1], 20, 'unknown');
    story.final.reservations.push({ ...story.final.reservations[0]!, id: 'another', createdAt: story.at(2000), expiresAt: story.at(3000), updatedAt: story.at(3000) });
    expect(story.kinds()).toEqual(['effect-of-fail']);
  });

  test('what nobody asked for', () => {
    const { payment } = sold();
    story.final.charges.push({ id: 'c', userId: 'ben', key: 'k', amount: 1, balance: 1, chargedAt: story.at(5) });
    story.final.ledger.push({ userId: 'ben', kind: 'CHARGE', amount: 1, balanceAfter: 1, sourceId: 'c' });
    story.final.balances.set('ben', 1);
    expect(story.kinds()).toEqual(['effect-of-nothing']);
    expect(payment.status).toBe('PAID');
  });

  test('something that was there before it was asked for', () => {
    story.hold('ann', [1], -2000);
    expect(story.kinds()).toEqual(['effect-of-nothing']);
  });

  test.each([
    ['a seat is refused that nobody had', () => story.callReserve('ben', [4], 'fail', { code: 'SeatsUnavailable', seatNumbers: [4] })],
    ['a balance is told that never was', () => story.callPay('ann', 'reservation-3', 'fail', { code: 'InsufficientBalance', currentBalance: 7, required: PRICE })],
    ['a sold reservation is said to have run out', () => story.callPay('ann', 'reservation-3', 'fail', { code: 'ReservationNotPayable', refusedStatus: 'EXPIRED' })],
    ['a limit is said to be reached that is not', () => story.callReserve('ben', [2], 'fail', { code: 'SeatLimitExceeded', limit: 2 })],
    ['a key is said to be used that is not', () => story.call('charge', 'ann', 'new', { amount: 5 }, 'fail', { code: 'IdempotencyKeyReused' })],
    ['one’s own reservation is not found', () => story.callPay('ann', 'reservation-3', 'fail', { code: 'NOT_FOUND' })],
  ])('a refusal without a reason: %s', (_, refuse) => {
    expect(sold().hold.id).toBe('reservation-3');
    refuse();
    expect(story.kinds()).toEqual(['refusal-unexplained']);
  });
});

describe('money', () => {
  test('a payment whose seats are somebody else’s, or nobody’s', () => {
    sold();
    Object.assign(story.final.seats[0]!, { status: 'AVAILABLE', reservationId: null });
    expect(story.kinds()).toContain('charged-without-seat');
  });

  test('a payment whose reservation is over', () => {
    const { hold } = sold();
    Object.assign(hold, { status: 'EXPIRED', updatedAt: hold.expiresAt });
    expect(story.kinds()).toContain('charged-without-seat');
  });

  test('a key that was charged twice', () => {
    story.charge('ann', PRICE, 10, { key: 'key' });
    story.charge('ann', PRICE, 20, { key: 'key' });
    expect(story.kinds()).toContain('double-charge');
  });

  test('a refund that was paid out twice', () => {
    const { payment } = sold();
    story.refund(payment, 40);
    story.final.ledger.push({ ...story.final.ledger.at(-1)!, balanceAfter: story.balanceOf('ann') + PRICE });
    story.final.balances.set('ann', story.balanceOf('ann') + PRICE);
    expect(story.kinds()).toEqual(['balance', 'moved-twice']);
  });

  test('a balance that is not what was charged, paid and refunded', () => {
    sold();
    story.final.balances.set('ann', 0);
    expect(story.kinds()).toEqual(['balance']);
  });

  test('money that moved without a ledger row', () => {
    sold();
    story.final.ledger.pop();
    expect(story.kinds()).toEqual(['balance']);
  });

  test('a payment that the balance did not cover', () => {
    story.pay(story.hold('ann', [1], 20), 30);
    expect(story.kinds()).toContain('negative-balance');
  });
});

function loseCharge(): void {
  story.charge('ann', PRICE, 10);
  story.final.charges = [];
}

function loseCancellation(): void {
  const hold = story.hold('ann', [1], 20);
  story.cancel(hold, 30);
  Object.assign(hold, { status: 'EXPIRED', updatedAt: hold.expiresAt });
}

function loseRefund(): void {
  const { payment } = sold();
  story.refund(payment, 40);
  Object.assign(payment, { status: 'PAID', refundedAt: null });
}

