import type { Seat } from '../database/entities/seat.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { SeatStatus } from '../domain/states.js';

export interface SeatFilter {
  status: SeatStatus | null;
  section: string | null;
  first: number | null;
  afterNumber: number | null;
}

export class SeatService {
  constructor(readonly transactions: Transactions) {}

  ofSchedule(_scheduleId: string, _filter: SeatFilter): Promise<Seat[]> {
    throw new Error('stub');
  }
}
