import type { Config } from '../config.js';
import type { Charge } from '../database/entities/charge.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { Viewer } from '../domain/viewer.js';

export class WalletService {
  readonly currency: string;

  constructor(
    readonly transactions: Transactions,
    readonly config: Config,
  ) {
    this.currency = config.currency;
  }

  charge(_viewer: Viewer, _input: { amount: number; idempotencyKey: string }): Promise<Charge> {
    throw new Error('stub');
  }
}
