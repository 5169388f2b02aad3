import type { ChargeRow, WalletRow } from '../database/repositories/sale.repository.js';
import type { MoneyMove } from '../database/repositories/sale-writes.repository.js';
import type { Happening } from '../domain/event.js';
import { quickId } from '../domain/ids.js';
import { BalanceLimitExceeded, IdempotencyKeyReused } from '../domain/refusals.js';
import { Member, present } from './sale-member.js';

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

  /** `earlier` was charged with the same key. */
  charge(wallets: ReadonlyMap<string, WalletRow>, earlier: ChargeRow | undefined, balanceMax: number, now: Date | null, wait: boolean): void {
    this.judge(() => {
      const { userId, amount, idempotencyKey } = this.request;
      this.wallet = present(wallets.get(userId), wait, () => new Error(`User ${userId} has no wallet.`));
      if (earlier) {
        if (earlier.amount !== amount) throw new IdempotencyKeyReused();
        return this.answer({ charge: earlier, isNew: false });
      }
      const { balance } = this.wallet;
      if (balance + amount > balanceMax) throw new BalanceLimitExceeded(balanceMax, balance);
      this.answer({ charge: { id: quickId(), userId, idempotencyKey, amount, balance: balance + amount, chargedAt: now! }, isNew: true });
    });
  }
}

export const moveOfCharge = (wallet: WalletRow, { id, amount }: ChargeRow): MoneyMove => ({ wallet, kind: 'CHARGE', amount, sourceId: id });

export const toldOfCharge = ({ id, userId, amount, chargedAt }: ChargeRow): Happening => ({
  type: 'CHARGE_MADE',
  occurredAt: chargedAt,
  userId,
  concertId: null,
  reservationId: null,
  payload: { chargeId: id, amount },
});
