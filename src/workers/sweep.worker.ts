import type { Services } from '../context.js';
import type { Handler } from './start-workers.js';

/** Finds over again what a lost job should have done, and forgets what is long over. */
export const sweepWorker =
  ({ reservations, cancellations, sessions, relay, deliveries }: Pick<Services, 'reservations' | 'cancellations' | 'sessions' | 'relay' | 'deliveries'>): Handler<'sweep'> =>
  async () => {
    await reservations.sweep();
    await cancellations.beginUnfinished();
    await deliveries.beginLate();
    await sessions.sweep();
    await relay.sweep();
    await deliveries.sweep();
  };
