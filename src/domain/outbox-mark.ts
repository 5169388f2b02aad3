/** How far the outbox was published: the last row in the order of (publishedAt, sequence), which is the order in which rows were published. */
export interface OutboxMark {
  publishedAt: Date;
  sequence: number;
}

/** Before the first. */
export const NOTHING_PUBLISHED: OutboxMark = { publishedAt: new Date(0), sequence: 0 };

export const textOfMark = ({ publishedAt, sequence }: OutboxMark): string => `${publishedAt.getTime()}-${sequence}`;

/** Nothing known counts as nothing published. */
export function markOfText(text: string): OutboxMark {
  const [ms, sequence] = text.split('-').map(Number);
  return ms !== undefined && sequence !== undefined && Number.isSafeInteger(ms) && Number.isSafeInteger(sequence) ? { publishedAt: new Date(ms), sequence } : NOTHING_PUBLISHED;
}

export const isBehind = (one: OutboxMark, other: OutboxMark): boolean =>
  one.publishedAt.getTime() - other.publishedAt.getTime() < 0 || (one.publishedAt.getTime() === other.publishedAt.getTime() && one.sequence < other.sequence);

/** When the next rows count as published: the database's time, but always after what was published before, also where its clock went back. */
export const nextPublishedAt = (now: Date, { publishedAt }: OutboxMark): Date => new Date(Math.max(now.getTime(), publishedAt.getTime() + 1));

const PAUSE_PER_EVENT_MS = 2;
/** Longer nobody waits for others. */
export const PAUSE_MAX_MS = 150;

/** The more a relay has just found, the longer it waits before it looks again, so that many share what that costs: an event that is alone keeps nobody waiting. */
export const pauseAfterMs = (found: number): number => Math.min(PAUSE_MAX_MS, found * PAUSE_PER_EVENT_MS);
