import type { App } from '../../src/app.js';
import { keys } from '../../src/redis/keys.js';
import type { KeptPosition } from './buyer.js';
import type { History, Operation } from './history.js';
import type { Violation } from './model.js';

/**
 * What is true of a line whose people come, leave, return and are admitted: one place each, in the order of coming, admitted in the order of places, within the
 * rate and the maximum. Judged by the events of the queue, which the scripts write that move it, and by what people were answered.
 */

export interface LineEvent {
  type: 'QUEUE_JOINED' | 'QUEUE_ADMITTED' | 'QUEUE_LEFT' | 'QUEUE_EXPIRED' | 'QUEUE_COMPLETED';
  /** Milliseconds of the clock of Redis. */
  at: number;
  userId: string;
  place: number;
  cause: string | undefined;
}

/** From when on how many might be active at once; the first holds from the beginning. */
export interface Maximum {
  since: number;
  activeMax: number;
}

export interface LineRules {
  admitCount: number;
  admitIntervalMs: number;
  passTtlMs: number;
  maxima: readonly Maximum[];
}

const PAGE = 2000;
/** A tick that began under the old maximum may end so much later. */
const POLICY_SEEN_WITHIN_MS = 5000;
/** Lengths of time, in intervals, over which the rate is judged. */
const RATE_SPANS = [1, 10, 30];
/** The first and last interval are cut by any span, and what one has proposed may be admitted in the next. */
const RATE_EDGES = 2;

/** All that was ever told of a queue, each event once, in their order. */
export async function readLine({ redis }: App, concertId: string): Promise<LineEvent[]> {
  const events = new Map<string, LineEvent>();
  for (let from = '-'; ; ) {
    const entries = await redis.xrange(keys.events(), from, '+', 'COUNT', PAGE);
    for (const [, pairs] of entries) {
      const fields = Object.fromEntries(Array.from({ length: pairs.length / 2 }, (_, index) => [pairs[2 * index]!, pairs[2 * index + 1]!]));
      if (fields['concertId'] !== concertId || !fields['type']!.startsWith('QUEUE_') || events.has(fields['id']!)) continue;
      const { place, cause } = JSON.parse(fields['payload']!) as { place: number; cause?: string };
      events.set(fields['id']!, { type: fields['type'] as LineEvent['type'], at: Date.parse(fields['occurredAt']!), userId: fields['userId']!, place, cause });
    }
    if (entries.length < PAGE) return [...events.values()];
    from = `(${entries.at(-1)![0]}`;
  }
}

export function checkMovingLine(history: History, concertId: string, events: readonly LineEvent[], rules: LineRules): Violation[] {
  const ofLine = history.operations.filter(({ args }) => args['concertId'] === concertId);
  const joins = ofLine.filter(({ name }) => name === 'join');
  return [...checkPlaces(events), ...checkCapacity(events, rules), ...checkRate(events, rules), ...checkAcknowledged(joins, events), ...checkDoor(joins), ...checkLooks(ofLine)];
}

/** One place each at a time, new ones behind all others, admitted from the head, none lost. */
export function checkPlaces(events: readonly LineEvent[]): Violation[] {
  const found: Violation[] = [];
  const held = new Map<string, { place: number; active: boolean }>();
  const wrong = (kind: string, what: string): void => void found.push({ kind, what, operations: [] });
  let lastGiven = 0;
  let lastAdmitted = 0;
  for (const { type, userId, place, cause } of events) {
    const has = held.get(userId);
    if (type === 'QUEUE_JOINED') {
      if (has) wrong('two-places', `user ${userId} was given place ${place} while holding ${has.place}`);
      if (place <= lastGiven) wrong('line-order', `place ${place} was given after place ${lastGiven}`);
      held.set(userId, { place, active: false });
      lastGiven = Math.max(lastGiven, place);
      continue;
    }
    if (has?.place !== place) wrong('no-such-place', `${type} of user ${userId} at place ${place}, who has ${has?.place ?? 'none'}`);
    if (type === 'QUEUE_ADMITTED') {
      if (has?.active) wrong('admitted-twice', `user ${userId} was admitted twice at place ${place}`);
      if (place <= lastAdmitted) wrong('admission-order', `place ${place} was admitted after place ${lastAdmitted}`);
      held.set(userId, { place, active: true });
      lastAdmitted = Math.max(lastAdmitted, place);
      continue;
    }
    if (type !== 'QUEUE_LEFT' && has && !has.active) wrong('place-lost', `user ${userId}, who was there, lost place ${place}: ${cause}`);
    held.delete(userId);
  }
  for (const [userId, { place, active }] of held) if (!active) wrong('never-admitted', `user ${userId} still waits at place ${place}`);
  return found;
}

/** With each admission the passes that had not ended and not run out are counted. */
export function checkCapacity(events: readonly LineEvent[], { passTtlMs, maxima }: LineRules): Violation[] {
  const active = new Map<string, number>();
  const found: Violation[] = [];
  for (const { type, userId, at } of events) {
    if (type !== 'QUEUE_ADMITTED') {
      active.delete(userId);
      continue;
    }
    // In the order of their ends.
    for (const [user, end] of active) {
      if (end > at) break;
      active.delete(user);
    }
    active.set(userId, at + passTtlMs);
    const max = maximumAt(maxima, at);
    if (active.size > max) found.push({ kind: 'above-maximum', what: `with user ${userId} ${active.size} were active, and ${max} might be`, operations: [] });
  }
  return found;
}

/** The highest that a tick of that moment may have read. */
export function maximumAt(maxima: readonly Maximum[], at: number): number {
  return Math.max(...maxima.filter(({ since }, index) => since <= at && (maxima[index + 1]?.since ?? Infinity) > at - POLICY_SEEN_WITHIN_MS).map(({ activeMax }) => activeMax));
}

export function checkRate(events: readonly LineEvent[], { admitCount, admitIntervalMs }: LineRules): Violation[] {
  const times = events.filter(({ type }) => type === 'QUEUE_ADMITTED').map(({ at }) => at);
  return RATE_SPANS.flatMap((intervals): Violation[] => {
    const most = admitCount * (intervals + RATE_EDGES);
    const index = times.findIndex((at, first) => (times[first + most] ?? Infinity) - at < intervals * admitIntervalMs);
    if (index < 0) return [];
    return [{ kind: 'too-fast', what: `more than ${most} were admitted within ${intervals} intervals of ${admitIntervalMs} ms for ${admitCount} each`, operations: [] }];
  });
}

const placeOf = ({ value }: Operation): number => (value as { place: number }).place;

/** What was acknowledged to somebody is theirs. */
function checkAcknowledged(joins: readonly Operation[], events: readonly LineEvent[]): Violation[] {
  const given = new Set(events.filter(({ type }) => type === 'QUEUE_JOINED').map(({ userId, place }) => `${userId} ${place}`));
  return joins
    .filter((join) => join.outcome === 'ok' && !given.has(`${join.process} ${placeOf(join)}`))
    .map((join) => ({ kind: 'place-of-nobody', what: `place ${placeOf(join)} was acknowledged to a user who was never given it`, operations: [join] }));
}

interface Given {
  place: number;
  /** No call that may have taken it was made before. */
  from: number;
  /** Told for the first time. */
  to: number;
  join: Operation;
}

/** Whoever was told of a place before another asked for one stands before the other. */
function checkDoor(joins: readonly Operation[]): Violation[] {
  const given = [...Map.groupBy(joins, ({ process }) => process).values()].flatMap(givenTo);
  const told = given.toSorted((a, b) => a.to - b.to);
  let next = 0;
  let last: Given | undefined;
  return given.toSorted((a, b) => a.from - b.from).flatMap((one) => {
    for (; told[next] && told[next]!.to < one.from; next += 1) if (!last || told[next]!.place > last.place) last = told[next];
    if (!last || last.place < one.place || last === one) return [];
    return [{ kind: 'line-order', what: `place ${one.place} was given after place ${last.place} had been acknowledged`, operations: [last.join, one.join] }];
  });
}

function givenTo(joins: readonly Operation[]): Given[] {
  const unsure = joins.filter(({ outcome }) => outcome !== 'ok' && outcome !== 'fail').map(({ invokedAt }) => invokedAt);
  return [...Map.groupBy(joins.filter(({ outcome }) => outcome === 'ok'), placeOf)].map(([place, told]) => {
    const join = told.reduce((first, other) => (other.endedAt! < first.endedAt! ? other : first));
    return { place, from: Math.min(...unsure, ...told.map(({ invokedAt }) => invokedAt)), to: join.endedAt!, join };
  });
}

/** Nobody who looks is ever further behind than before, nor waits again once admitted, unless they left. */
function checkLooks(operations: readonly Operation[]): Violation[] {
  const looked = operations.filter(({ name, outcome }) => (name === 'position' && outcome === 'ok') || (name === 'join' && outcome === 'ok') || name === 'leave');
  return [...Map.groupBy(looked, ({ process }) => process).values()].flatMap((all) => {
    const found: Violation[] = [];
    let last: Operation | undefined;
    for (const one of all) {
      const wrong = last && last.name !== 'leave' && one.name !== 'leave' && last.endedAt! < one.invokedAt ? worse(last.value as KeptPosition | null, one.value as KeptPosition | null) : null;
      if (wrong) found.push({ kind: 'sent-back', what: `somebody who did not leave was sent back: ${wrong}`, operations: [last!, one] });
      last = one;
    }
    return found;
  });
}

/** How the later of two positions of one stay contradicts the earlier. */
export function worse(before: KeptPosition | null, after: KeptPosition | null): string | null {
  if (!after) return 'no place any more';
  if (!before || after.status !== 'WAITING') return null;
  if (before.status !== 'WAITING') return `WAITING after ${before.status}`;
  return after.position > before.position ? `position ${after.position} after ${before.position}` : null;
}
