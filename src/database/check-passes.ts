import type { MikroORM } from '@mikro-orm/mysql';
import type { Finding } from './check-invariants.js';

/** What Redis says of who is active, against the rows that were written before anybody was told. */
export interface ActiveNow {
  concertId: string;
  active: readonly string[];
  waitingToo: readonly string[];
}

const USERS_PER_QUERY = 500;

interface Pass {
  userId: string;
  activeMax: number | null;
}

/** The queues must have been looked at before: a pass is a row already when it is handed over, and stays one. */
export async function checkPasses(orm: MikroORM, queues: readonly ActiveNow[]): Promise<Finding[]> {
  const startedAt = performance.now();
  const [twice, unwritten, beyond]: Record<string, unknown>[][] = [[], [], []];
  for (const { concertId, active, waitingToo } of queues) {
    twice!.push(...waitingToo.map((userId) => ({ concertId, userId })));
    const passes: Pass[] = [];
    for (let from = 0; from < active.length; from += USERS_PER_QUERY) {
      passes.push(...(await orm.em.fork().execute<Pass[]>(
        'select user_id as userId, active_max as activeMax from queue_pass where concert_id = ? and user_id in (?)',
        [concertId, active.slice(from, from + USERS_PER_QUERY)],
      )));
    }
    const written = new Set(passes.map(({ userId }) => userId));
    unwritten!.push(...active.filter((userId) => !written.has(userId)).map((userId) => ({ concertId, userId })));
    // Since the last of them was admitted only some have gone; what was in force then is in its row. One that is not noted yet accuses nobody.
    const most = passes.every(({ activeMax }) => activeMax !== null) ? Math.max(...passes.map(({ activeMax }) => activeMax!)) : Infinity;
    if (active.length > 0 && active.length > most) beyond!.push({ concertId, active: active.length, activeMax: most });
  }
  const tookMs = performance.now() - startedAt;
  const finding = (name: Finding['name'], says: string, rows: Record<string, unknown>[]): Finding => ({ name, says, count: rows.length, rows: rows.slice(0, 20), tookMs });
  return [
    finding('queue-one-place', 'nobody waits in a queue and has a pass of it at once', twice!),
    finding('queue-pass-written', 'each pass that Redis knows is a row', unwritten!),
    finding('queue-active-max', 'no more passes last than the maximum under which they were given', beyond!),
  ];
}
