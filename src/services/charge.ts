import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import { chargesByKey, type ChargeRow, type WalletRow } from '../database/repositories/sale.repository.js';
import { insertCharges, type MoneyMove } from '../database/repositories/sale-writes.repository.js';
import type { Happening } from '../domain/event.js';
import { BalanceLimitExceeded, IdempotencyKeyReused } from '../domain/refusals.js';
import { Member, open, present } from './sale-member.js';

/** The part of charges in a transaction of many sales. The wallet's row is locked first, so the second of two equal keys finds the charge of the first. */

export interface ChargeOrder {
  userId: string;
  amount: number;
  /** As it is stored. */
  idempotencyKey: string;
}

export interface Charged {
  charge: ChargeRow;
  isNew: boolean;
}

export class ChargeMember extends Member<ChargeOrder, Charged> {
  wallet!: WalletRow;

  judgeWallet(wallets: ReadonlyMap<string, WalletRow>, wait: boolean): void {
    const { userId } = this.request;
    this.judge(() => {
      this.wallet = present(wallets.get(userId), wait, () => new Error(`User ${userId} has no wallet.`));
    });
  }

  charge(earlier: ChargeRow | undefined, balanceMax: number, now: Date): void {
    this.judge(() => {
      const { userId, amount, idempotencyKey } = this.request;
      if (earlier) {
        if (earlier.amount !== amount) throw new IdempotencyKeyReused();
        return this.answer({ charge: earlier, isNew: false });
      }
      const { balance } = this.wallet;
      if (balance + amount > balanceMax) throw new BalanceLimitExceeded(balanceMax, balance);
      this.answer({ charge: { id: uuid(), userId, idempotencyKey, amount, balance: balance + amount, chargedAt: now }, isNew: true });
    });
  }
}

export async function judgeCharges(em: EntityManager, charges: readonly ChargeMember[], wallets: ReadonlyMap<string, WalletRow>, balanceMax: number, now: Date | null, wait: boolean): Promise<void> {
  for (const charge of charges) charge.judgeWallet(wallets, wait);
  const judged = open(charges);
  // One charge of a user at a time.
  const earlier = new Map((await chargesByKey(em, judged.map(({ request }) => request))).map((charge) => [charge.userId, charge]));
  for (const charge of judged) charge.charge(earlier.get(charge.request.userId), balanceMax, now!);
}

export const moveOf = (wallet: WalletRow, { id, amount }: ChargeRow): MoneyMove => ({ wallet, kind: 'CHARGE', amount, sourceId: id });

/** Writes new charges, after their money has moved. */
export async function writeCharges(em: EntityManager, charges: readonly ChargeRow[]): Promise<Happening[]> {
  await insertCharges(em, charges);
  return charges.map(({ id, userId, amount, chargedAt }) => ({
    type: 'CHARGE_MADE',
    occurredAt: chargedAt,
    userId,
    concertId: null,
    reservationId: null,
    payload: { chargeId: id, amount },
  }));
}
