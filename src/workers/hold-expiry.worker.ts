import { DelayedError } from 'bullmq';
import type { ReservationService } from '../services/reservation.service.js';
import type { Handler } from './start-workers.js';

/** Announces the end of holds. BullMQ trusts this machine's clock, so a job that comes early by the database's clock is put off. */
export const holdExpiryWorker =
  (reservations: ReservationService): Handler<'hold-expiry'> =>
  async ({ reservationId, besides }, job, token) => {
    const { remainingMs } = await reservations.expire(reservationId, ...besides);
    if (remainingMs <= 0) return;
    await job.moveToDelayed(Date.now() + remainingMs, token);
    throw new DelayedError();
  };
