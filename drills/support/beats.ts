import { setTimeout as delay } from 'node:timers/promises';
import type { DrillRun } from '../drill.js';
import type { World } from './world.js';

/** The ticks of the admission job come on, whichever worker runs: each counts in the row of the queue. */

const LOOK_EVERY_MS = 100;
/** Ticks that stay away longer are an outage. */
export const BEAT_GAP_MAX_MS = 10_000;

/** For a concert in whose line somebody waits all the time. The answer ends the watching and judges it. */
export function watchBeats(run: DrillRun, world: World, concertId: string): () => Promise<void> {
  let over = false;
  let longestMs = 0;
  const watching = (async () => {
    let beat = -1;
    let since = performance.now();
    while (!over && !run.signal.aborted) {
      const [row] = await world.app.transactions.fork().execute<{ beat: number }[]>('select beat from queue_line where concert_id = ?', [concertId]).catch(() => []);
      const now = performance.now();
      longestMs = Math.max(longestMs, now - since);
      if (row && Number(row.beat) !== beat) {
        beat = Number(row.beat);
        since = now;
      }
      await delay(LOOK_EVERY_MS);
    }
  })();
  return async () => {
    over = true;
    await watching;
    run.figure('longest time without a tick, ms', Math.round(longestMs));
    run.expect(longestMs <= BEAT_GAP_MAX_MS, `the ticks go on: ${Math.round(longestMs)} ms went by without one`);
  };
}
