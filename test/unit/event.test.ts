import { PAUSE_MAX_MS, pauseAfterMs } from '../../src/domain/outbox-mark.js';
import { bodyOf, EVENT_TYPES, orderKeyOf, versioned } from '../../src/domain/event.js';
import { DELIVERY_ATTEMPTS_MAX, eventTypesOf, retryDelayMs, webhookUrlOf } from '../../src/domain/webhook.js';
import type { Counters } from '../../src/domain/counters.js';
import { Nudge } from '../../src/services/nudge.js';
import { signatureOf } from '../../src/services/webhook-sender.js';
import { eventually } from '../support/eventually.js';

const event = {
  id: 'e', sequence: 1, type: 'PAYMENT_MADE' as const, occurredAt: new Date('2026-11-20T12:00:00.000Z'),
  userId: 'u', concertId: 'c', reservationId: 'r', payload: versioned({ amount: 1 }),
};

test('P3: an event is ordered among those of its reservation, else of its user in its queue, else of its user', () => {
  expect(orderKeyOf(event)).toBe('r');
  expect(orderKeyOf({ ...event, reservationId: null })).toBe('c:u');
  expect(orderKeyOf({ ...event, reservationId: null, concertId: null })).toBe('u');
});

test('P3: the body of a webhook is the event with its payload and version', () => {
  expect(JSON.parse(bodyOf(event))).toEqual({
    id: 'e', type: 'PAYMENT_MADE', occurredAt: '2026-11-20T12:00:00.000Z', userId: 'u', concertId: 'c', reservationId: 'r', payload: { version: 1, amount: 1 },
  });
});

test('P3: the signature is the one that any other HMAC-SHA256 makes', () => {
  // printf '1763640000.{"id":"e"}' | openssl dgst -sha256 -hmac secret
  expect(signatureOf('secret', '1763640000', '{"id":"e"}')).toBe('7cb5e104e62e597d207bc2e6fb2cff0f8ba07a7773b6d9c3169ef6289091e363');
});

test('P3: retries wait twice as long each time, at most an hour, between the half and the whole of it, and about three hours in all', () => {
  expect([1, 2, 3].map((attempts) => retryDelayMs(attempts, 1))).toEqual([1000, 2000, 4000]);
  expect(retryDelayMs(3, 0)).toBe(2000);
  expect(retryDelayMs(30, 1)).toBe(3_600_000);
  const waits = Array.from({ length: DELIVERY_ATTEMPTS_MAX - 1 }, (_, index) => retryDelayMs(index + 1, 0.5));
  const hours = waits.reduce((sum, wait) => sum + wait) / 3_600_000;
  expect(hours).toBeGreaterThan(2.5);
  expect(hours).toBeLessThan(3.5);
});

test('a webhook is an https URL; http to this machine only where it is allowed', () => {
  expect(webhookUrlOf('url', ' https://Example.com/a ', false)).toBe('https://example.com/a');
  for (const url of ['http://127.0.0.1:1/', 'http://[::1]/', 'http://localhost/']) {
    expect(webhookUrlOf('url', url, true)).toBe(url);
    expect(() => webhookUrlOf('url', url, false)).toThrow('https');
  }
  for (const url of ['http://127.0.0.1.example.com/', 'http://10.0.0.1/', 'javascript:1', 'file:///etc/passwd']) expect(() => webhookUrlOf('url', url, true)).toThrow('https');
  expect(() => webhookUrlOf('url', 'https://a@example.com/', true)).toThrow('user');
});

test('types of events are named once each, in the order of the catalogue', () => {
  expect(eventTypesOf('events', ['CHARGE_MADE', 'PAYMENT_MADE', 'CHARGE_MADE'])).toEqual(['PAYMENT_MADE', 'CHARGE_MADE']);
  expect(eventTypesOf('events', EVENT_TYPES)).toEqual(EVENT_TYPES);
  expect(() => eventTypesOf('events', [])).toThrow('at least one');
});

test('P3: a relay waits the longer for others the more it has found, and never long', () => {
  expect([0, 1, 10, 75, 500].map(pauseAfterMs)).toEqual([0, 2, 20, PAUSE_MAX_MS, PAUSE_MAX_MS]);
  expect(PAUSE_MAX_MS).toBeLessThanOrEqual(150);
});

describe('a nudge', () => {
  const failures: string[] = [];
  const counters = { followUpFailed: (step: string) => void failures.push(step) } as unknown as Counters;

  test('P3: however often it is given while one is under way, one more follows', async () => {
    const asked: (() => void)[] = [];
    const nudge = new Nudge('test', () => new Promise<void>((resolve) => asked.push(resolve)), counters);
    for (let times = 0; times < 100; times += 1) nudge.give();
    expect(asked).toHaveLength(1);
    asked[0]!();
    await eventually(() => asked.length > 1, 'the next');
    expect(asked).toHaveLength(2);
    asked[1]!();
    await new Promise(setImmediate);
    expect(asked).toHaveLength(2);
    nudge.give();
    await eventually(() => asked.length > 2, 'the next');
    expect(asked).toHaveLength(3);
    asked[2]!();
  });

  test('P3: one that fails fails nobody, and the next is tried', async () => {
    let asked = 0;
    const nudge = new Nudge('away', () => ((asked += 1), Promise.reject(new Error('away'))), counters);
    nudge.give();
    await new Promise(setImmediate);
    nudge.give();
    await new Promise(setImmediate);
    expect(asked).toBe(2);
    expect(failures).toEqual(['away', 'away']);
  });
});
