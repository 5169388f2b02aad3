import type { ReservationService } from '../services/reservation.service.js';
import type { Handler } from './start-workers.js';

/** Finds over again what a lost job should have done. */
export const sweepWorker =
  (reservations: ReservationService): Handler<'sweep'> =>
  async () => {
    await reservations.sweep();
  };
