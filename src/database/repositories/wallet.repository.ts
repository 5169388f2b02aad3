import { LockMode, type EntityManager } from '@mikro-orm/mysql';
import type { LedgerKind } from '../../domain/states.js';
import { LedgerEntry } from '../entities/ledger-entry.entity.js';
import { Wallet } from '../entities/wallet.entity.js';

/** A balance changes only here, under the lock of its row, and never without its ledger row. */

export const lockWallet = (em: EntityManager, userId: string): Promise<Wallet> => em.findOneOrFail(Wallet, { userId }, { lockMode: LockMode.PESSIMISTIC_WRITE });

/** `amount` is signed; `sourceId` is the charge or payment. Both rows are written by the same flush. */
export function moveMoney(em: EntityManager, wallet: Wallet, { kind, amount, sourceId, at }: { kind: LedgerKind; amount: number; sourceId: string; at: Date }): void {
  wallet.balance += amount;
  em.create(LedgerEntry, { userId: wallet.userId, kind, amount, balanceAfter: wallet.balance, sourceId, createdAt: at });
}
