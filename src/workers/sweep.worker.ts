import type { ReservationService } from '../services/reservation.service.js';
import type { SessionService } from '../services/session.service.js';
import type { Handler } from './start-workers.js';

/** Finds over again what a lost job should have done, and forgets what is long over. */
export const sweepWorker =
  (reservations: ReservationService, sessions: SessionService): Handler<'sweep'> =>
  async () => {
    await reservations.sweep();
    await sessions.sweep();
  };
