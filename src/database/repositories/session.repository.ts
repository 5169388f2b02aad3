import type { EntityManager, QueryResult } from '@mikro-orm/mysql';

interface RemainingRow {
  id: string;
  userId: string;
  remainingMs: number | string;
}

/** Of each how long it still lives by the database's clock; 0 when it is revoked, over, or not this user's. */
export async function sessionsRemainingMs(em: EntityManager, sessions: readonly { sessionId: string; userId: string }[]): Promise<number[]> {
  const rows = await em.execute<RemainingRow[]>(
    `select id, user_id as userId, timestampdiff(microsecond, sysdate(3), expires_at) div 1000 as remainingMs
     from session where id in (?) and revoked_at is null`,
    [[...new Set(sessions.map(({ sessionId }) => sessionId))]],
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return sessions.map(({ sessionId, userId }) => {
    const row = found.get(sessionId);
    return row?.userId === userId ? Math.max(0, Number(row.remainingMs)) : 0;
  });
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
