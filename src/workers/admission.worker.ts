import type { QueueService } from '../services/queue.service.js';
import type { Handler } from './start-workers.js';

/** The tick of every queue. */
export const admissionWorker =
  (queue: QueueService): Handler<'admission'> =>
  () =>
    queue.tick(true);
