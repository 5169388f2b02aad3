import type { Services } from '../context.js';
import { admissionWorker } from './admission.worker.js';
import { cancellationWorker } from './cancellation.worker.js';
import { holdExpiryWorker } from './hold-expiry.worker.js';
import { relayWorker } from './relay.worker.js';
import type { Handlers } from './start-workers.js';
import { sweepWorker } from './sweep.worker.js';
import { webhookWorker } from './webhook.worker.js';

export const handlersOf = (services: Services): Handlers => ({
  'hold-expiry': holdExpiryWorker(services.reservations),
  admission: admissionWorker(services.queue),
  sweep: sweepWorker(services),
  relay: relayWorker(services.relay),
  webhook: webhookWorker(services.deliveries),
  cancellation: cancellationWorker(services.cancellations),
});
