import { endPlaces, passesOfUsers } from '../database/repositories/queue-line.repository.js';
import type { Transactions } from '../database/transaction.js';
import { lostPlace } from '../domain/queue-recovery.js';
import { ENDED_KEPT_MS, PLACES_PER_EPOCH, type Place } from '../domain/queue.js';
import type { QueueStore, Standing } from '../redis/queue-store.js';
import { orUnavailable } from '../redis/unavailable.js';

/** Places that Redis has lost come back with whoever proves or watches them: in their old order, unless the rows say that they have ended. */

export const isLive = (standing: Standing): boolean => standing?.status === 'WAITING' || standing?.status === 'ACTIVE';

/** Whether a place may have been lost: its user stands nowhere, and the queue was recovered since the place was given. */
export const mayBeLost = (standing: Standing, place: number | null | undefined, epoch: number): place is number =>
  typeof place === 'number' && !isLive(standing) && Math.floor(place / PLACES_PER_EPOCH) < epoch;

export class QueueReturns {
  constructor(
    private readonly store: QueueStore,
    private readonly transactions: Transactions,
  ) {}

  /** For each whether its user stands at it now. Only one who joins with an older place gives up a newer one for it. */
  async bringBack(concertId: string, places: readonly Place[], replacesNewer: boolean): Promise<boolean[]> {
    const rows = Map.groupBy(await passesOfUsers(this.transactions.fork(), concertId, places.map(({ userId }) => userId)), ({ userId }) => userId);
    const lost = places.map(({ userId, place }) => ({ userId, place, ...lostPlace({ userId, place }, rows.get(userId) ?? []) }));
    const replies = await orUnavailable(this.store.bringBack(concertId, lost, replacesNewer, ENDED_KEPT_MS));
    const givenUp = replies.flatMap((reply, index) => (reply.givenUp === null ? [] : [{ userId: places[index]!.userId, place: reply.givenUp }]));
    await this.transactions.run((em) => endPlaces(em, concertId, givenUp, 'LEFT'));
    return replies.map(({ isBack }) => isBack);
  }
}
