import { DelayedError } from 'bullmq';
import type { CancellationService } from '../services/cancellation.service.js';
import type { Handler } from './start-workers.js';

/** Ends a batch of what a cancelled date still has; the same job comes again for the rest. */
export const cancellationWorker =
  (cancellations: CancellationService): Handler<'cancellation'> =>
  async ({ scheduleId }, job, token) => {
    const { more } = await cancellations.run(scheduleId);
    if (!more) return;
    await job.moveToDelayed(Date.now(), token);
    throw new DelayedError();
  };
