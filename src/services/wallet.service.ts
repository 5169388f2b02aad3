import type { Config } from '../config.js';
import type { ChargeRow } from '../database/repositories/sale.repository.js';
import { idempotencyKeyOf } from '../domain/input.js';
import { assertAmount } from '../domain/money.js';
import type { Viewer } from '../domain/viewer.js';
import type { SaleWriter } from './sale-writer.js';

/** A charge is added once for each idempotency key, and every change of a balance has its ledger row. */
export class WalletService {
  readonly currency: string;

  constructor(
    private readonly writer: SaleWriter,
    private readonly config: Config,
  ) {
    this.currency = config.currency;
  }

  async charge(viewer: Viewer, input: { amount: number; idempotencyKey: string }): Promise<ChargeRow> {
    assertAmount('amount', input.amount, this.config.chargeMax);
    const idempotencyKey = storedKeyOf(idempotencyKeyOf('idempotencyKey', input.idempotencyKey));
    const { charge } = await this.writer.charge({ userId: viewer.userId, amount: input.amount, idempotencyKey });
    return charge;
  }
}

/** The database compares text as if spaces at its end were not there; with a last character of its own `a` and `a ` stay two keys. */
const storedKeyOf = (idempotencyKey: string): string => `${idempotencyKey}.`;
