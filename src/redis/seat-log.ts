import type { Redis } from 'ioredis';
import type { SeatChange } from '../domain/seat-change.js';
import type { SeatStatus } from '../domain/states.js';
import { keys } from './keys.js';
import { topics, type Messages } from './pubsub.js';
import { Script } from './script.js';
import type { ServerRun } from './server-run.js';

/**
 * What happened to the seats of each date, numbered through, so that whoever missed a message knows it and can ask for it. Bounded: who comes too late, or from
 * before Redis was lost, is told to read everything.
 */

/** Entries kept of each date; a commit, or several of one moment, are one. */
export const SEAT_LOG_ENTRIES = 10_000;
/** After the last change of a date; longer than anybody stays away and wants to go on from where he was. */
const LOG_KEPT_MS = 86_400_000;
/** Changes that one script call tells: Redis does nothing else meanwhile. */
const CHANGES_PER_CALL = 1000;

export interface LogPosition {
  /** One log from its beginning to its loss. */
  epoch: string;
  sequence: number;
  /** The last entry that says: read everything anew. */
  reset: number;
}

export interface LogEntry {
  sequence: number;
  /** True: prices or seats have changed, whoever knows the date must read it anew. */
  reset: boolean;
  changes: SeatChange[];
}

export interface LogTail extends LogPosition {
  /** Null when not all of them are kept. */
  entries: LogEntry[] | null;
}

/** As JSON: number, status, version, end of the hold in ms. */
export type WrittenChange = [number: number, status: SeatStatus, version: number, heldUntil: number | null];

const tell = new Script<number>('seat-tell');
const tail = new Script<[string, number, number, 'KEPT' | 'GONE', ...(string | number)[]]>('seat-tail');

export class SeatLog {
  constructor(
    private readonly redis: Redis,
    private readonly run: ServerRun,
    private readonly entriesKept = SEAT_LOG_ENTRIES,
  ) {}

  async tell(scheduleId: string, changes: readonly SeatChange[]): Promise<void> {
    for (let from = 0; from < changes.length; from += CHANGES_PER_CALL) await this.#write(scheduleId, changes.slice(from, from + CHANGES_PER_CALL), false);
  }

  /** Prices or seats have changed: whoever knows the date reads it anew. */
  async reset(scheduleId: string): Promise<void> {
    await this.#write(scheduleId, [], true);
  }

  async position(scheduleId: string): Promise<LogPosition> {
    return this.since(scheduleId, '', 0);
  }

  /** What was told after that sequence. */
  async since(scheduleId: string, epoch: string, sequence: number): Promise<LogTail> {
    const run = await this.run.current();
    const [now, reached, reset, kept, ...entries] = await tail.run(this.redis, keys.seatLog(run, scheduleId).slice(0, 2), [nameOf(run), LOG_KEPT_MS, epoch, sequence]);
    return { epoch: now, sequence: reached, reset, entries: kept === 'KEPT' ? entriesOf(entries) : null };
  }

  async #write(scheduleId: string, changes: readonly SeatChange[], reset: boolean): Promise<void> {
    const run = await this.run.current();
    const told = changes.flatMap((change) => [change.number, change.version, JSON.stringify(written(change))]);
    await tell.run(this.redis, keys.seatLog(run, scheduleId), [scheduleId, topics.seatsChanged(), nameOf(run), this.entriesKept, LOG_KEPT_MS, reset ? 1 : 0, ...told]);
  }
}

/** Enough of the run to tell one from the next: clients carry it around. */
const nameOf = (run: string): string => run.slice(0, 8);

const written = ({ number, status, version, heldUntil }: SeatChange): WrittenChange => [number, status, version, heldUntil?.getTime() ?? null];

export const entryOf = ({ sequence, reset, changes }: Pick<Messages['seatsChanged'], 'sequence' | 'reset' | 'changes'>): LogEntry => ({
  sequence,
  reset,
  changes: changes.map(([number, status, version, heldUntil]) => ({ number, status, version, heldUntil: heldUntil === null ? null : new Date(heldUntil) })),
});

function entriesOf(flat: readonly (string | number)[]): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let index = 0; index < flat.length; index += 3) {
    const changes = JSON.parse(String(flat[index + 2])) as WrittenChange[];
    entries.push(entryOf({ sequence: Number(flat[index]), reset: flat[index + 1] === '1', changes }));
  }
  return entries;
}
