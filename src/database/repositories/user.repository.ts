import type { EntityManager } from '@mikro-orm/mysql';

/** What users are told of themselves. */
export interface Account {
  id: string;
  email: string;
  name: string;
  balance: number;
}

/** Of several users with one statement; each has exactly one wallet. */
export async function accountsOf(em: EntityManager, userIds: readonly string[]): Promise<Map<string, Account>> {
  const rows = await em.execute<Account[]>(
    `select user.id, user.email, user.name, wallet.balance from user join wallet on wallet.user_id = user.id where user.id in (?)`,
    [userIds],
  );
  return new Map(rows.map((row) => [row.id, { ...row, balance: Number(row.balance) }]));
}
