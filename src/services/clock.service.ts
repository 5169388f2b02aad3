import { databaseNow } from '../database/clock.js';
import type { Transactions } from '../database/transaction.js';

/** Tells the time that decides: the database's. */
export class ClockService {
  constructor(private readonly transactions: Transactions) {}

  now(): Promise<Date> {
    return databaseNow(this.transactions.fork());
  }
}
