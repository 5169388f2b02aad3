/** Ids that can be told from a number, so that processes that share a database need not tell each other any. */

export const KINDS = { user: 1, venue: 2, concert: 3, schedule: 4, seat: 5, reservation: 6, payment: 7, session: 8, event: 9, charge: 10 } as const;
type Kind = keyof typeof KINDS;

const tailOf = (kind: Kind): string => `-0000-7000-8000-${String(KINDS[kind]).padStart(12, '0')}`;

/** A UUID that grows with `n`, as those of the product grow with time. */
export const idOf = (kind: Kind, n: number): string => `${n.toString(16).padStart(8, '0')}${tailOf(kind)}`;
/** The same in SQL, where `n` is an expression. */
export const idSql = (kind: Kind, n: string | number): string => `concat(lpad(lower(hex(${n})), 8, '0'), '${tailOf(kind)}')`;
