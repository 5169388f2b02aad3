import type { Bench, BenchRun } from './bench.js';
import { timeSeatMap } from './sockets/seat-map.js';
import { timeWaiting } from './sockets/waiting.js';

/** Those who watch: their place in the line, and the seats. */
export const sockets: Bench = { name: 'sockets', asks: 'What does it cost to tell 19,500 people every second where they stand, and 5,000 which seats are left?', run: measure };

async function measure(run: BenchRun): Promise<void> {
  await run.part('waiting', () => timeWaiting(run));
  await run.part('seat map', () => timeSeatMap(run));
}
