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
  /** In each round; fewer of what would take longer than `roundMs` together. */
  times: number;
  roundMs: number;
  /** Scans take their time. */
  scans: number;
}

const TIMES_MIN = 3;

export async function worthOf(query: HotQuery, orm: MikroORM, few: Connection, many: Connection, { rounds, times: most, roundMs, scans }: Effort): Promise<Worth> {
  const sql = await statementOf(query, orm, many);
  const withoutIt = withoutIndexes(sql, query.table, [query.index]);
  const [fewMs, manyMs]: [number[], number[]] = [[], []];
  await medianMs(few, sql, TIMES_MIN);
  const times = Math.max(TIMES_MIN, Math.min(most, Math.ceil(roundMs / (await medianMs(many, sql, TIMES_MIN)))));
  for (const connection of [few, many]) await medianMs(connection, sql, times);
  for (let round = 0; round < rounds; round += 1) {
    const [ofFew, ofMany] = await inTurns(few, many, sql, times);
    fewMs.push(ofFew);
    manyMs.push(ofMany);
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

/** One after the other, so that a slow moment of the machine is one of both. */
async function inTurns(few: Connection, many: Connection, sql: string, times: number): Promise<[number, number]> {
  const [ofFew, ofMany]: [number[], number[]] = [[], []];
  for (let time = 0; time < times; time += 1) {
    ofFew.push(await medianMs(few, sql, 1));
    ofMany.push(await medianMs(many, sql, 1));
  }
  return [medianOf(ofFew), medianOf(ofMany)];
}

async function indexesOf(connection: Connection, table: string): Promise<string[]> {
  const [rows] = await connection.query<RowDataPacket[]>('select distinct index_name as name from information_schema.statistics where table_schema = database() and table_name = ?', [table]);
  return rows.map((row) => row['name'] as string);
}
