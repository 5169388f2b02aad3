import type { Transactions } from '../database/transaction.js';

export class VenueService {
  constructor(readonly transactions: Transactions) {}
}
