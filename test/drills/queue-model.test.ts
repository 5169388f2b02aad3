import { History } from '../../drills/support/history.js';
import { checkCapacity, checkMovingLine, checkPlaces, checkRate, type LineEvent, type LineRules } from '../../drills/support/queue-model.js';

/** What the queue drill says of lines that were written by hand. */

const RULES: LineRules = { admitCount: 2, admitIntervalMs: 1000, passTtlMs: 10_000, maxima: [{ since: 0, activeMax: 3 }] };
const CONCERT = 'concert';

const event = (type: string, userId: string, place: number, at: number, cause?: string): LineEvent => ({ type: `QUEUE_${type}` as LineEvent['type'], userId, place, at, cause });
const kinds = (found: readonly { kind: string }[]): string[] => found.map(({ kind }) => kind);

test('a line in which people come, leave, return, are admitted and go has nothing wrong', () => {
  const events = [
    event('JOINED', 'a', 1, 0), event('JOINED', 'b', 2, 1), event('LEFT', 'a', 1, 2), event('JOINED', 'a', 3, 3),
    event('ADMITTED', 'b', 2, 100), event('COMPLETED', 'b', 2, 200), event('ADMITTED', 'a', 3, 300), event('EXPIRED', 'a', 3, 10_400, 'TIME'),
  ];
  expect(checkMovingLine(new History(), CONCERT, events, RULES)).toEqual([]);
});

test.each([
  ['two-places', [event('JOINED', 'a', 1, 0), event('JOINED', 'a', 2, 1)]],
  ['line-order', [event('JOINED', 'a', 2, 0), event('JOINED', 'b', 1, 1)]],
  ['line-order', [event('JOINED', 'a', 1, 0), event('JOINED', 'b', 1, 1)]],
  ['admission-order', [event('JOINED', 'a', 1, 0), event('JOINED', 'b', 2, 0), event('ADMITTED', 'b', 2, 1), event('ADMITTED', 'a', 1, 2)]],
  ['admitted-twice', [event('JOINED', 'a', 1, 0), event('ADMITTED', 'a', 1, 1), event('ADMITTED', 'a', 1, 2)]],
  ['no-such-place', [event('ADMITTED', 'a', 1, 1)]],
  ['place-lost', [event('JOINED', 'a', 1, 0), event('EXPIRED', 'a', 1, 9, 'ABSENT')]],
  ['never-admitted', [event('JOINED', 'a', 1, 0)]],
])('found: %s', (kind, events) => {
  expect(kinds(checkPlaces(events))).toContain(kind);
});

test('passes that ended or ran out make room; one more than the maximum of that moment is found', () => {
  const admitted = (count: number, at: number): LineEvent[] => Array.from({ length: count }, (_, index) => event('ADMITTED', `${at} ${index}`, at + index, at));
  expect(checkCapacity([...admitted(3, 1000), ...admitted(3, 11_000)], RULES)).toEqual([]);
  expect(checkCapacity([...admitted(3, 1000), event('LEFT', '1000 0', 1000, 1500), ...admitted(1, 2000)], RULES)).toEqual([]);
  expect(kinds(checkCapacity([...admitted(3, 1000), ...admitted(1, 10_999)], RULES))).toEqual(['above-maximum']);
  const lowered = { ...RULES, maxima: [...RULES.maxima, { since: 20_000, activeMax: 1 }] };
  expect(checkCapacity(admitted(3, 21_000), lowered)).toEqual([]);
  expect(kinds(checkCapacity(admitted(3, 30_000), lowered))).toEqual(['above-maximum', 'above-maximum']);
});

test('more admissions than the rate allows are found, however they are spread', () => {
  const every = (ms: number, count: number): LineEvent[] => Array.from({ length: count }, (_, index) => event('ADMITTED', `u${index}`, index + 1, index * ms));
  expect(checkRate(every(500, 100), RULES)).toEqual([]);
  expect(kinds(checkRate(every(0, 7), RULES))).toEqual(['too-fast']);
  expect(kinds(checkRate(every(400, 100), RULES))).toEqual(['too-fast', 'too-fast']);
});

describe('what people were answered', () => {
  let history: History;
  beforeEach(() => (history = new History()));
  const call = (name: string, process: string, value?: unknown): (() => void) => {
    const operation = history.invoke({ process, node: 'api-1', name, args: { concertId: CONCERT } });
    return () => (value === undefined ? history.unknown(operation, 'ECONNRESET') : history.ok(operation, value));
  };
  const joined = (process: string, place: number, position = 1) => call('join', process, { place, status: 'WAITING', position });
  const judged = (events: LineEvent[] = []) => kinds(checkMovingLine(history, CONCERT, events, RULES)).filter((kind) => !['never-admitted', 'place-of-nobody'].includes(kind));
  /** Two things that happen one after the other are not at the same moment. */
  const later = async (): Promise<void> => {
    const before = history.now();
    while (history.now() <= before) await Promise.resolve();
  };

  test('whoever asks after another was told stands behind the other', async () => {
    joined('a', 2)();
    await later();
    joined('b', 1)();
    expect(judged()).toEqual(['line-order']);
  });

  test('calls that overlap, and one that repeats an unknown one, prove no order', async () => {
    const [first, second] = [joined('a', 2), joined('b', 1)];
    first();
    second();
    const lost = call('join', 'c');
    await later();
    joined('d', 9)();
    lost();
    await later();
    joined('c', 3)();
    expect(judged()).toEqual([]);
  });

  test('a place that nobody was given is found', () => {
    joined('a', 7)();
    expect(kinds(checkMovingLine(history, CONCERT, [], RULES))).toEqual(['place-of-nobody']);
  });

  test('a higher position, a wait after the admission and no place at all are found, unless one left', async () => {
    const looks = async (...values: unknown[]): Promise<void> => {
      for (const value of values) {
        call('position', 'a', value)();
        await later();
      }
    };
    await looks({ status: 'WAITING', position: 5 }, { status: 'WAITING', position: 4 }, { status: 'ACTIVE', position: 0 });
    call('leave', 'a', true)();
    await later();
    await looks({ status: 'WAITING', position: 9 }, { status: 'WAITING', position: 10 }, { status: 'ACTIVE', position: 0 }, { status: 'WAITING', position: 1 }, null);
    expect(judged()).toEqual(['sent-back', 'sent-back', 'sent-back']);
  });
});
