import type { RelayService } from '../services/relay.service.js';
import type { Handler } from './start-workers.js';

/** Publishes what was committed. */
export const relayWorker =
  (relay: RelayService): Handler<'relay'> =>
  async () => {
    await relay.run();
  };
