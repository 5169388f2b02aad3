import { estimatedWaitSeconds, type QueuePosition } from '../domain/queue.js';
import type { QueueStore, QueueView, Standing } from '../redis/queue-store.js';
import { orUnavailable } from '../redis/unavailable.js';

/** Tells where users stand in one queue, all at one instant. */
export class QueuePositions {
  constructor(private readonly store: QueueStore) {}

  /** Of those users that have one; `present` counts them as being here. */
  async read(concertId: string, userIds: readonly string[], present: boolean): Promise<QueuePosition[]> {
    const { view, standings } = await orUnavailable(this.store.positions(concertId, userIds, present));
    return standings.flatMap((standing, index) => (standing ? [positionOf(concertId, userIds[index]!, view, standing)] : []));
  }
}

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
