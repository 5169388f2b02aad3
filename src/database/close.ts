import { setTimeout as delay } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/mysql';

/** A database that does not say good-bye in this time is left without. */
const CLOSE_PATIENCE_MS = 1000;

interface Pool {
  _allConnections: { length: number; get(index: number): { stream: { destroy(): void } } };
}

/**
 * Closes the database for good. MikroORM connects anew for whatever still asks, as the rest of an answer does that one field's error has ended early: here it
 * fails, and no connection is left that keeps the process alive, also when the database is silent.
 */
export async function closeDatabase(orm: MikroORM): Promise<void> {
  const connection = orm.em.getConnection();
  if (!connection['connected']) return;
  const pool = (await connection.getNativeClient()) as unknown as Pool;
  connection.createKysely = () => {
    throw new Error('The database is closed.');
  };
  // A connection that was only about to be made fails the good-bye of all, perhaps after it was waited for.
  await Promise.race([orm.close().catch(() => undefined), delay(CLOSE_PATIENCE_MS, undefined, { ref: false })]);
  for (let index = 0; index < pool._allConnections.length; index += 1) pool._allConnections.get(index).stream.destroy();
}
