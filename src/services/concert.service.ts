import type { Concert } from '../database/entities/concert.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { Page } from '../domain/cursor.js';

export class ConcertService {
  constructor(readonly transactions: Transactions) {}

  page(_first: number, _after: string | null): Promise<Page<Concert>> {
    throw new Error('stub');
  }
  find(_id: string): Promise<Concert | null> {
    throw new Error('stub');
  }
}
