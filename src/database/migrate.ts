import type { EntityManager, MikroORM } from '@mikro-orm/mysql';
import { LOCK_WAIT_TIMEOUT_S, STILL_TRANSACTION_TIMEOUT_S } from './orm.config.js';

const LOCK_NAME = 'frontrow:migrations';
const LOCK_WAIT_S = 120;

/** Brings the schema up to date. Several instances may start at once: the database's own named lock lets one migrate while the others wait. */
export async function migrate(orm: MikroORM): Promise<string[]> {
  await orm.schema.ensureDatabase();
  const em = orm.em.fork();
  return em.transactional(async (locked) => {
    const [row] = await locked.execute<{ acquired: number }[]>('select get_lock(?, ?) as acquired', [LOCK_NAME, LOCK_WAIT_S]);
    if (row?.acquired !== 1) throw new Error(`Another instance has been migrating for over ${LOCK_WAIT_S} s.`);
    await endWhenStill(locked, 0);
    try {
      const applied = await orm.migrator.up();
      return applied.map(({ name }) => name);
    } finally {
      await endWhenStill(locked, STILL_TRANSACTION_TIMEOUT_S);
      await locked.execute('do release_lock(?)', [LOCK_NAME]);
    }
  });
}

/** The one that holds the lock is still while another connection migrates, for as long as that takes. MariaDB alone ends such a transaction. */
const endWhenStill = (em: EntityManager, seconds: number): Promise<unknown> =>
  em.execute(`set session innodb_lock_wait_timeout = ${LOCK_WAIT_TIMEOUT_S} /*M!100300 , session idle_transaction_timeout = ${seconds} */`);
