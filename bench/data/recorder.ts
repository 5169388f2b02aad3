import type { MikroORM } from '@mikro-orm/mysql';
import type { Connection } from 'mysql2/promise';
import type { HotQuery } from './hot-queries.js';

/** The statement that the product really sends, word for word, as the server notes it. */
export async function statementOf(query: HotQuery, orm: MikroORM, server: Connection): Promise<string> {
  await server.query("set global log_output = 'TABLE'");
  await server.query('truncate table mysql.general_log');
  await server.query('set global general_log = 1');
  try {
    await query.ask(orm.em.fork());
  } finally {
    await server.query('set global general_log = 0');
  }
  const [rows] = await server.query("select cast(argument as char) as statement from mysql.general_log where command_type in ('Query', 'Execute')");
  const statement = (rows as { statement: string }[]).map((row) => row.statement).find((text) => tableIn(query.table).test(text));
  if (!statement) throw new Error(`Nothing was asked of ${query.table} for "${query.name}".`);
  // What deletes is measured by what it has to find.
  return statement.replace(/^delete from/, 'select 1 from');
}

/** The table with its alias and what index it was told to use. */
const tableIn = (table: string): RegExp => new RegExp(`\\b(from|(?:straight_)?join) (\`?${table}\\b\`?(?: as \`?\\w+\`?| (?!force\\b|where\\b|on\\b|group\\b|join\\b|limit\\b|order\\b)\\w+)?)( force index \\([^)]*\\))?`, 'gi');

/** The same without these indexes. A locking read becomes a plain one: scanning, it would lock every row. */
export const withoutIndexes = (statement: string, table: string, indexes: readonly string[]): string =>
  statement.replace(tableIn(table), `$1 $2 ignore index (${indexes.join(', ')})`).replace(/ for update\s*$/, '');
