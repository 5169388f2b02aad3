import { estimatedWaitSeconds, type QueuePosition } from '../domain/queue.js';
import type { QueueStore, QueueView, Standing } from '../redis/queue-store.js';
import { orUnavailable } from '../redis/unavailable.js';

/** Tells where users stand in one queue, all at one instant. */
export class QueuePositions {
  constructor(private readonly store: QueueStore) {}

  /** Null if the user has no place and none that ended lately; `present` counts the user as being here. */
  async read(concertId: string, userId: string, present: boolean): Promise<QueuePosition | null> {
    const { view, standings } = await orUnavailable(this.store.positions(concertId, [userId], present));
    return standings[0] ? positionOf(concertId, userId, view, standings[0]) : null;
  }

  /** Of users who had a place: if nothing is known of it any more, by a loss or for its age, it has ended. */
  async readHolders(concertId: string, userIds: readonly string[], present: boolean): Promise<QueuePosition[]> {
    const { view, standings } = await orUnavailable(this.store.positions(concertId, userIds, present));
    return standings.map((standing, index) => positionOf(concertId, userIds[index]!, view, standing ?? FORGOTTEN));
  }
}

const FORGOTTEN = { status: 'EXPIRED', rank: 0, passEndsAt: 0 } as const;

function positionOf(concertId: string, userId: string, view: QueueView, standing: NonNullable<Standing>): QueuePosition {
  const waits = standing.status === 'WAITING';
  const position = waits ? standing.rank + 1 : 0;
  return {
    concertId,
    userId,
    status: standing.status,
    position,
    waiting: view.waiting,
    estimatedWaitSeconds: waits ? estimatedWaitSeconds(position, view) : null,
    expiresAt: standing.status === 'ACTIVE' ? new Date(standing.passEndsAt) : null,
    seatsMayRemain: view.seatsMayRemain,
  };
}
