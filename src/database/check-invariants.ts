import type { MikroORM } from '@mikro-orm/mysql';
import { CompiledQuery, type Kysely } from 'kysely';
import { SAFETY, SETTLED, type Invariant, type InvariantName } from './invariants.js';

/** Reads and writes nothing; every answer is of the same instant, while the sale goes on. */

export interface Finding {
  name: InvariantName | 'queue-one-place' | 'queue-pass-written' | 'queue-active-max';
  says: string;
  /** How many rows break it. */
  count: number;
  /** The first of them. */
  rows: Record<string, unknown>[];
  tookMs: number;
}

export interface WhatToCheck {
  seatsPerUserMax: number;
  holdTtlMs: number;
  /** Also what is true only once the workers have caught up. */
  settled: boolean;
}

type Query = (sql: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;

const ROWS_SHOWN_MAX = 20;
/** The isolation is that of the next transaction alone: the connection goes back to the pool as it was. */
const BEGIN_SNAPSHOT = ['set transaction isolation level repeatable read', 'start transaction with consistent snapshot, read only'];

export function checkInvariants(orm: MikroORM, what: WhatToCheck): Promise<Finding[]> {
  return inSnapshot(orm, (query) => findViolations(query, what));
}

export async function inSnapshot<T>(orm: MikroORM, work: (query: Query) => Promise<T>): Promise<T> {
  const link = orm.em.getConnection();
  await link.ensureConnection();
  const client: Kysely<unknown> = link.getClient();
  return client.connection().execute(async (connection) => {
    const query: Query = async (sql, params = []) => (await connection.executeQuery<Record<string, unknown>>(CompiledQuery.raw(sql, params))).rows;
    for (const statement of BEGIN_SNAPSHOT) await query(statement);
    try {
      return await work(query);
    } finally {
      await query('rollback');
    }
  });
}

/** One after the other, in the transaction that the caller has begun. */
export async function findViolations(query: Query, { seatsPerUserMax, holdTtlMs, settled }: WhatToCheck): Promise<Finding[]> {
  // After the snapshot was taken: a hold that had ended in it must count as ended.
  const [clock] = await query('select cast(sysdate(3) as char) as now');
  const values = { now: clock!['now'], seatsPerUserMax, holdTtlMs };
  const findings: Finding[] = [];
  for (const [name, invariant] of Object.entries(settled ? { ...SAFETY, ...SETTLED } : SAFETY)) {
    const startedAt = performance.now();
    const broken = await violationsOf(query, invariant, values);
    findings.push({ name: name as InvariantName, says: invariant.says, ...broken, tookMs: performance.now() - startedAt });
  }
  return findings;
}

async function violationsOf(query: Query, { violations }: Invariant, values: Record<string, unknown>): Promise<Pick<Finding, 'count' | 'rows'>> {
  const params: unknown[] = [];
  const sql = violations.replace(/:(\w+)/g, (_, name: string) => (params.push(values[name]), '?'));
  const found = await query(`select v.*, count(*) over () as violation_count from (${sql}) v limit ${ROWS_SHOWN_MAX}`, params);
  return { count: Number(found[0]?.['violation_count'] ?? 0), rows: found.map(({ violation_count: _, ...row }) => row) };
}

/** A line for each invariant, and under one that is broken a line for each row that breaks it, as far as they are shown. */
export function reportOf(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ name, says, count, rows, tookMs }) => {
    if (count === 0) return [`ok        ${name.padEnd(NAME_WIDTH)} ${says} (${tookMs.toFixed(0)} ms)`];
    const more = count > rows.length ? [`            … ${count - rows.length} more`] : [];
    return [`VIOLATED  ${name.padEnd(NAME_WIDTH)} not true: ${says}; rows: ${count}`, ...rows.map((row) => `            ${JSON.stringify(row)}`), ...more];
  });
}

const NAME_WIDTH = Math.max(...Object.keys({ ...SAFETY, ...SETTLED }).map((name) => name.length));
