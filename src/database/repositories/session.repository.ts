import type { EntityManager, QueryResult } from '@mikro-orm/mysql';

/** How long the session still lives by the database's clock; 0 when it is revoked, over, or not this user's. */
export async function sessionRemainingMs(em: EntityManager, sessionId: string, userId: string): Promise<number> {
  const [row] = await em.execute<{ remainingMs: number | string }[]>(
    `select timestampdiff(microsecond, sysdate(3), expires_at) div 1000 as remainingMs
     from session where id = ? and user_id = ? and revoked_at is null`,
    [sessionId, userId],
  );
  return Math.max(0, Number(row?.remainingMs ?? 0));
}

/** The first revocation stands. */
export async function revokeSession(em: EntityManager, sessionId: string): Promise<void> {
  await em.execute('update session set revoked_at = sysdate(3) where id = ? and revoked_at is null', [sessionId]);
}

/** Rows of sessions that are over; NOW() and not SYSDATE(), which no index can serve. Answers how many. */
export async function deleteOverSessions(em: EntityManager, limit: number): Promise<number> {
  const result = await em.execute<QueryResult>('delete from session where expires_at <= now(3) order by expires_at limit ?', [limit], 'run');
  return result.affectedRows;
}
