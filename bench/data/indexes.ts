import type { MikroORM } from '@mikro-orm/mysql';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { medianOf, spreadOf, type Spread } from '../support/stats.js';
import type { HotQuery } from './hot-queries.js';
import { medianMs, planOf } from './measure.js';
import { statementOf, withoutIndexes } from './recorder.js';

/** What one index is worth to the query it is there for. */
export interface Worth {
  query: HotQuery;
  ms: number;
  /** Without this index, the others left; and without any. */
  withoutItMs: number;
  withoutAnyMs: number;
  plan: string;
  planWithoutIt: string;
  /** Time among many rows by time among few, round by round. */
  growth: Spread;
}

export interface Effort {
  rounds: number;
  /** In each round. */
  times: number;
  /** Scans take their time. */
  scans: number;
}

export async function worthOf(query: HotQuery, orm: MikroORM, few: Connection, many: Connection, { rounds, times, scans }: Effort): Promise<Worth> {
  const sql = await statementOf(query, orm, many);
  const withoutIt = withoutIndexes(sql, query.table, [query.index]);
  const [fewMs, manyMs]: [number[], number[]] = [[], []];
  for (const connection of [few, many]) await medianMs(connection, sql, times);
  for (let round = 0; round < rounds; round += 1) {
    fewMs.push(await medianMs(few, sql, times));
    manyMs.push(await medianMs(many, sql, times));
  }
  return {
    query,
    ms: medianOf(manyMs),
    withoutItMs: await medianMs(many, withoutIt, scans),
    withoutAnyMs: await medianMs(many, withoutIndexes(sql, query.table, await indexesOf(many, query.table)), scans),
    plan: await planOf(many, sql, query.table),
    planWithoutIt: await planOf(many, withoutIt, query.table),
    growth: spreadOf(manyMs.map((ms, round) => ms / fewMs[round]!)),
  };
}

async function indexesOf(connection: Connection, table: string): Promise<string[]> {
  const [rows] = await connection.query<RowDataPacket[]>('select distinct index_name as name from information_schema.statistics where table_schema = database() and table_name = ?', [table]);
  return rows.map((row) => row['name'] as string);
}
