import type { Services } from '../context.js';
import type { Handler } from './start-workers.js';

/** Finds over again what a lost job should have done, and forgets what is long over. */
export const sweepWorker =
  ({ reservations, cancellations, sessions, relay, deliveries }: Pick<Services, 'reservations' | 'cancellations' | 'sessions' | 'relay' | 'deliveries'>): Handler<'sweep'> =>
  async () => {
    const steps = [
      () => reservations.sweep(), () => cancellations.beginUnfinished(), () => deliveries.beginLate(), () => sessions.sweep(), () => relay.sweep(), () => deliveries.sweep(),
    ];
    const failures: unknown[] = [];
    // Each whatever became of the one before: a row that cannot be ended keeps nothing else waiting, however often it fails.
    for (const step of steps) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
