import type { Job } from 'bullmq';
import type { QueueService } from '../../src/services/queue.service.js';
import { admissionWorker } from '../../src/workers/admission.worker.js';

test('the tick of the job spares queues that were quiet a moment ago', async () => {
  const ticks: unknown[] = [];
  const queue = { tick: (...args: unknown[]) => Promise.resolve(void ticks.push(args)) } as unknown as QueueService;
  await admissionWorker(queue)({}, {} as Job, undefined);
  expect(ticks).toEqual([[true]]);
});
