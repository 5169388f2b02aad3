import type { EntityManager } from '@mikro-orm/mysql';

/** What the server has counted since it began. */
export interface Commits {
  commits: number;
  /** Of the redo log to the disk. */
  flushes: number;
}

export async function commitsOf(em: EntityManager): Promise<Commits> {
  const rows = await em.execute<{ Variable_name: string; Value: string }[]>("show global status where variable_name in ('Handler_commit', 'Com_commit', 'Innodb_os_log_fsyncs', 'Innodb_data_fsyncs')");
  const value = (name: string): number => Number(rows.find((row) => row.Variable_name === name)?.Value ?? NaN);
  return { commits: value('Com_commit'), flushes: Number.isNaN(value('Innodb_os_log_fsyncs')) ? value('Innodb_data_fsyncs') : value('Innodb_os_log_fsyncs') };
}
