import type { Services } from '../context.js';
import { admissionWorker } from './admission.worker.js';
import { holdExpiryWorker } from './hold-expiry.worker.js';
import type { Handlers } from './start-workers.js';
import { sweepWorker } from './sweep.worker.js';

export const handlersOf = (services: Services): Handlers => ({
  'hold-expiry': holdExpiryWorker(services.reservations),
  admission: admissionWorker(services.queue),
  sweep: sweepWorker(services.reservations, services.sessions),
});
