import type { Connection, RowDataPacket } from 'mysql2/promise';
import { medianOf } from '../support/stats.js';

/** Time of one act as whoever waits for it sees it, in ms; and how the server goes about a statement. */

export async function medianTime(times: number, work: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const startedAt = performance.now();
    await work();
    taken.push(performance.now() - startedAt);
  }
  return medianOf(taken);
}

export const medianMs = (connection: Connection, sql: string, times: number): Promise<number> => medianTime(times, () => connection.query(sql));

/** How the rows of the table are found: kind of access, key, how many the server expects to read. */
export async function planOf(connection: Connection, sql: string, table: string): Promise<string> {
  const [steps] = await connection.query<RowDataPacket[]>(`explain ${sql}`);
  const aliases = new Set([table, ...[...sql.matchAll(new RegExp(`\\b${table}\`? (?:as )?\`?(\\w+)`, 'gi'))].map(([, alias]) => alias)]);
  const found = steps.filter((step) => aliases.has(step['table'] as string));
  return [...new Set(found.map(planLine))].join('; ') || 'no rows are read';
}

function planLine(step: RowDataPacket): string {
  const extra = String(step['Extra'] ?? '');
  const notes = [/Using index(?! condition)/.test(extra) && 'covering', extra.includes('temporary') && 'temporary', extra.includes('filesort') && 'sorts'].filter(Boolean);
  return [`${step['type']} ${step['key'] ?? ''}`.trim(), `${Number(step['rows']).toLocaleString('en')} rows`, ...notes].join(', ');
}
