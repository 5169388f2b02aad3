import type { Schedule } from '../database/entities/schedule.entity.js';
import type { Loaders } from '../database/loaders.js';
import type { Transactions } from '../database/transaction.js';

export class ScheduleService {
  constructor(readonly transactions: Transactions) {}

  ofConcert(_concertId: string, _availableOnly: boolean, _loaders: Loaders): Promise<Schedule[]> {
    throw new Error('stub');
  }
}
