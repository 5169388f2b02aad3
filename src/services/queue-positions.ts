import { estimatedWaitSeconds, type Pace, type Place, type QueuePosition } from '../domain/queue.js';
import type { QueueStore, QueueView, Standing } from '../redis/queue-store.js';
import { orUnavailable } from '../redis/unavailable.js';
import { isLive, mayBeLost, type QueueReturns } from './queue-returns.js';

/** Tells where users stand in one queue, all at one instant; who has lost the place with Redis is brought back first. */

/** A user who has or had a place; it is null if that has ended, as far as is known. */
export interface Holder {
  userId: string;
  place: number | null;
}

/** Where a user stands who has or had a place. */
export type Stand = NonNullable<Standing>;

export interface Reading {
  view: QueueView;
  standings: Stand[];
  /** Their places as far as they are known to last. */
  places: (number | null)[];
  /** Some places were lost when the positions were read, and are back now or known to have ended: to be read once more. */
  isStale: boolean;
}

export class QueuePositions {
  constructor(
    private readonly store: QueueStore,
    private readonly returns: QueueReturns,
  ) {}

  /** Null if the user has no place and none that ended lately. Asking counts as being here; `prove` tells the place that is proved. */
  async read(concertId: string, userId: string, prove: () => number | null): Promise<{ position: QueuePosition; place: number | null } | null> {
    let { view, standing } = await this.store.position(concertId, userId);
    const proven = isLive(standing) ? null : prove();
    if (mayBeLost(standing, proven, view.epoch)) {
      await this.returns.bringBack(concertId, [{ userId, place: proven }], false);
      ({ view, standing } = await this.store.position(concertId, userId));
    }
    return standing ? { position: positionOf(concertId, userId, view, standing), place: standing.place } : null;
  }

  /** Of users who had a place: if nothing is known of it any more, and it was not lost, it has ended. They count as present, for so many ms ahead. */
  async readHolders(concertId: string, holders: readonly Holder[], presentAheadMs: number): Promise<Reading> {
    const { view, standings } = await orUnavailable(this.store.positions(concertId, holders.map(({ userId }) => userId), presentAheadMs));
    const lost = holders.filter(({ place }, index): boolean => mayBeLost(standings[index]!, place, view.epoch)) as Place[];
    const isBack = lost.length > 0 ? await this.returns.bringBack(concertId, lost, false) : [];
    const ended = new Set(lost.filter((_, index) => !isBack[index]).map(({ userId }) => userId));
    return {
      view,
      standings: standings.map((standing) => standing ?? FORGOTTEN),
      places: holders.map(({ userId, place }, index) => (ended.has(userId) ? null : (standings[index]?.place ?? place))),
      isStale: lost.length > 0,
    };
  }
}

const FORGOTTEN = { status: 'EXPIRED', rank: 0, passEndsAt: 0, place: null } as const;

/** What positions are worked out from, besides where one stands oneself. */
export type Crowd = Pick<QueueView, 'waiting' | 'seatsMayRemain'> & Pace;

export function positionOf(concertId: string, userId: string, crowd: Crowd, { status, rank, passEndsAt }: Pick<Stand, 'status' | 'rank' | 'passEndsAt'>): QueuePosition {
  const waits = status === 'WAITING';
  const position = waits ? rank + 1 : 0;
  return {
    concertId,
    userId,
    status,
    position,
    waiting: crowd.waiting,
    estimatedWaitSeconds: waits ? estimatedWaitSeconds(position, crowd) : null,
    expiresAt: status === 'ACTIVE' ? new Date(passEndsAt) : null,
    seatsMayRemain: crowd.seatsMayRemain,
  };
}
