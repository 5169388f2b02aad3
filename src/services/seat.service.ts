import { badInput } from '../domain/errors.js';
import { pageSizeOf, uuidOf } from '../domain/input.js';
import type { ReadSet } from '../domain/read-set.js';
import { SEATS_PER_SCHEDULE_MAX } from '../domain/seat-map.js';
import type { SeatFilter, SeatRow } from '../domain/seat-snapshot.js';
import type { Viewer } from '../domain/viewer.js';
import type { QueueService } from './queue.service.js';
import type { SeatBoard } from './seat-board.js';
import { sequenceOf, type SeatsEvent } from './seat-rooms.js';

export interface SeatMap {
  /** Opaque: how far the log of the date was. */
  sequence: string;
  seats: readonly SeatRow[];
}

const SEQUENCE_MAX = 100;

/** Tells each seat as it is at this moment, as far as this process was told: a hold that has run out reads AVAILABLE, whoever has or has not tidied it. */
export class SeatService {
  constructor(
    private readonly board: SeatBoard,
    private readonly queue: Pick<QueueService, 'requirePass'>,
  ) {}

  async ofSchedule(scheduleId: string, filter: SeatFilter, reads?: ReadSet): Promise<readonly SeatRow[]> {
    const id = uuidOf('scheduleId', scheduleId);
    if (filter.first !== null) pageSizeOf('first', filter.first);
    if (filter.afterNumber !== null && (filter.afterNumber < 0 || filter.afterNumber > SEATS_PER_SCHEDULE_MAX)) {
      throw badInput('afterNumber', `Must be from 0 to ${SEATS_PER_SCHEDULE_MAX}.`);
    }
    return (await this.board.copyOf(id, reads)).snapshot.seats(filter);
  }

  /** The seats and the sequence of one instant. */
  async map(scheduleId: string, section: string | null, reads?: ReadSet): Promise<SeatMap> {
    const copy = await this.board.copyOf(uuidOf('scheduleId', scheduleId), reads);
    return { sequence: sequenceOf(copy), seats: copy.snapshot.seats({ section, status: null, first: null, afterNumber: null }) };
  }

  /** Events that tell several watchers the same are one object. The pass is asked for again now and then. */
  watch(viewer: Viewer, scheduleId: string, after: string | null, queueToken: string | null): Promise<AsyncIterableIterator<SeatsEvent>> {
    const id = uuidOf('scheduleId', scheduleId);
    if (after !== null && after.length > SEQUENCE_MAX) throw badInput('after', 'Not a sequence of seatMap or seatChanges.');
    return this.board.watch(id, after, () => this.queue.requirePass(viewer, queueToken, id, false));
  }
}
