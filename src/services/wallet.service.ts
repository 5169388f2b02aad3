import type { EntityManager } from '@mikro-orm/mysql';
import { v7 as uuid } from 'uuid';
import type { Config } from '../config.js';
import { databaseNow } from '../database/clock.js';
import { Charge } from '../database/entities/charge.entity.js';
import { tell } from '../database/repositories/outbox.repository.js';
import { lockWallet, moveMoney } from '../database/repositories/wallet.repository.js';
import type { Transactions } from '../database/transaction.js';
import { idempotencyKeyOf } from '../domain/input.js';
import { assertAmount } from '../domain/money.js';
import { BalanceLimitExceeded, IdempotencyKeyReused } from '../domain/refusals.js';
import type { Viewer } from '../domain/viewer.js';

/** A charge is added once for each idempotency key, and every change of a balance has its ledger row. */
export class WalletService {
  readonly currency: string;

  constructor(
    private readonly transactions: Transactions,
    private readonly config: Config,
  ) {
    this.currency = config.currency;
  }

  async charge(viewer: Viewer, input: { amount: number; idempotencyKey: string }): Promise<Charge> {
    assertAmount('amount', input.amount, this.config.chargeMax);
    const idempotencyKey = storedKeyOf(idempotencyKeyOf('idempotencyKey', input.idempotencyKey));
    return this.transactions.run((em) => addCharge(em, { userId: viewer.userId, amount: input.amount, idempotencyKey, balanceMax: this.config.balanceMax }));
  }
}

/** The database compares text as if spaces at its end were not there; with a last character of its own `a` and `a ` stay two keys. */
const storedKeyOf = (idempotencyKey: string): string => `${idempotencyKey}.`;

interface NewCharge {
  userId: string;
  amount: number;
  idempotencyKey: string;
  balanceMax: number;
}

/** The wallet's row is locked first, so the second of two equal keys finds the charge of the first. */
async function addCharge(em: EntityManager, { userId, amount, idempotencyKey, balanceMax }: NewCharge): Promise<Charge> {
  const wallet = await lockWallet(em, userId);
  const earlier = await em.findOne(Charge, { userId, idempotencyKey });
  if (earlier) {
    if (earlier.amount !== amount) throw new IdempotencyKeyReused();
    return earlier;
  }
  if (wallet.balance + amount > balanceMax) throw new BalanceLimitExceeded(balanceMax, wallet.balance);
  const chargedAt = await databaseNow(em);
  const id = uuid();
  moveMoney(em, wallet, { kind: 'CHARGE', amount, sourceId: id, at: chargedAt });
  await tell(em, [{ type: 'CHARGE_MADE', occurredAt: chargedAt, userId, concertId: null, reservationId: null, payload: { chargeId: id, amount } }]);
  return em.create(Charge, { id, userId, idempotencyKey, amount, balance: wallet.balance, chargedAt });
}
