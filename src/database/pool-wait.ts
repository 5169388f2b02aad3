import type { MikroORM } from '@mikro-orm/mysql';

interface Pool {
  getConnection(done: (error: unknown, connection: unknown) => void): void;
}

/** Tells how long each query or transaction waited for its connection: the first thing that grows when the database is the bottleneck. */
export async function measurePoolWait(orm: MikroORM, waited: (seconds: number) => void): Promise<void> {
  const pool = (await orm.em.getConnection().getNativeClient()) as unknown as Pool;
  const acquire = pool.getConnection.bind(pool);
  pool.getConnection = (done) => {
    const asked = performance.now();
    acquire((error, connection) => {
      waited((performance.now() - asked) / 1000);
      done(error, connection);
    });
  };
}
