import type { EntityManager } from '@mikro-orm/mysql';
import type { QueuePlace } from '../../domain/queue.js';
import type { PassEnding } from '../../domain/states.js';

/** Writes how a pass ended; a pass that ended before keeps its first ending. */
export async function endPass(em: EntityManager, { concertId, userId, place }: QueuePlace, endedBy: PassEnding): Promise<void> {
  await em.execute(
    'update queue_pass set ended_at = sysdate(3), ended_by = ? where concert_id = ? and user_id = ? and place = ? and ended_at is null',
    [endedBy, concertId, userId, place],
  );
}
