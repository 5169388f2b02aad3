import type { MikroORM } from '@mikro-orm/mysql';

/**
 * Closes the database for good. MikroORM connects anew for whatever still asks, as the rest of an answer does that one field's error has ended early: here it
 * fails, and no connection is left that keeps the process alive.
 */
export async function closeDatabase(orm: MikroORM): Promise<void> {
  orm.em.getConnection().createKysely = () => {
    throw new Error('The database is closed.');
  };
  await orm.close();
}
