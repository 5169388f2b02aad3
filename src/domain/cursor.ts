import { badInput } from './errors.js';
import { uuidOf } from './input.js';

/** Opaque to clients: the id after which the next page starts. Ids are time-ordered (UUID v7), so newest first is id descending. */
export const cursorOf = (id: string): string => Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');

export function idOfCursor(field: string, cursor: string): string {
  const hex = Buffer.from(cursor, 'base64url').toString('hex');
  if (hex.length !== 32 || cursor.length !== 22) throw badInput(field, 'Not a cursor of this list.');
  return uuidOf(field, hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
}

export interface Page<T> {
  nodes: T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

/** A page from one row more than was asked for: the extra row only tells that there is a next page. */
export function pageOf<T extends { id: string }>(rows: readonly T[], first: number): Page<T> {
  const nodes = rows.slice(0, first);
  const last = nodes.at(-1);
  return { nodes, pageInfo: { hasNextPage: rows.length > first, endCursor: last ? cursorOf(last.id) : null } };
}
