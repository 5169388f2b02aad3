import type { EntityManager } from '@mikro-orm/mysql';

/** A statement, and what its result says. Without text there is nothing to ask, and the result is empty. */
export interface Asked<Answer> {
  sql: string;
  params: readonly unknown[];
  read(result: never): Answer;
}

/**
 * Before a statement that takes locks: how long it may wait for those of somebody else. A writer of many goes on at once, one that is alone tries again a moment later.
 * The settings are MariaDB's; to MySQL they are a comment, and it waits as its session says.
 */
export const AT_ONCE = '/*M!100300 set statement innodb_lock_wait_timeout = 0 for */ ';
export const BRIEFLY = '/*M!100300 set statement max_statement_time = 0.1 for */ ';

/** "Subquery returns more than 1 row": the way a statement has to fail where a condition does not hold. */
export const OTHER_ROWS_ERRNO = 1242;

/** Right behind a statement that changes rows: so many it must have been, or nothing that follows is executed, the commit least of all. */
export const rowsExpected = (rows: number): Asked<void> => ({ sql: 'select if(row_count() = ?, 1, (select 1 union all select 2)) as expected', params: [rows], read: () => undefined });

const EMPTY: readonly unknown[] = [];

/** Several statements in one message: one way to the server and back, and one turn of both processes. The first that fails is the last. */
export async function together<Answers extends readonly unknown[]>(em: EntityManager, asked: { [Key in keyof Answers]: Asked<Answers[Key]> }): Promise<Answers> {
  const all = asked as readonly Asked<unknown>[];
  const some = all.filter(({ sql }) => sql !== '');
  const results = await execute(em, some);
  let next = 0;
  return all.map(({ sql, read }) => (read as (result: unknown) => unknown)(sql === '' ? EMPTY : results[next++])) as unknown as Answers;
}

const WRITE = /^\s*(insert|update|delete)/;

/** A single result comes as it is, several as a list. */
async function execute(em: EntityManager, statements: readonly Asked<unknown>[]): Promise<readonly unknown[]> {
  const [only] = statements;
  if (!only) return [];
  if (statements.length === 1) return [await em.execute<object>(only.sql, [...only.params], WRITE.test(only.sql) ? 'run' : 'all')];
  return em.execute<object[]>(statements.map(({ sql }) => sql).join(';\n'), statements.flatMap(({ params }) => params));
}
