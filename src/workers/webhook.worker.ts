import { DelayedError } from 'bullmq';
import type { DeliveryService } from '../services/delivery.service.js';
import type { Handler } from './start-workers.js';

/** One attempt to deliver an event to a webhook; the same job comes again for the next. */
export const webhookWorker =
  (deliveries: DeliveryService): Handler<'webhook'> =>
  async (due, job, token) => {
    const { remainingMs } = await deliveries.deliver(due);
    if (remainingMs <= 0) return;
    await job.moveToDelayed(Date.now() + remainingMs, token);
    throw new DelayedError();
  };
