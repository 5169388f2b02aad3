import type { MikroORM } from '@mikro-orm/mysql';

const LOCK_NAME = 'frontrow:migrations';
const LOCK_WAIT_S = 120;

/** Brings the schema up to date. Several instances may start at once: the database's own named lock lets one migrate while the others wait. */
export async function migrate(orm: MikroORM): Promise<string[]> {
  await orm.schema.ensureDatabase();
  const em = orm.em.fork();
  return em.transactional(async (locked) => {
    const [row] = await locked.execute<{ acquired: number }[]>('select get_lock(?, ?) as acquired', [LOCK_NAME, LOCK_WAIT_S]);
    if (row?.acquired !== 1) throw new Error(`Another instance has been migrating for over ${LOCK_WAIT_S} s.`);
    try {
      const applied = await orm.migrator.up();
      return applied.map(({ name }) => name);
    } finally {
      await locked.execute('do release_lock(?)', [LOCK_NAME]);
    }
  });
}
