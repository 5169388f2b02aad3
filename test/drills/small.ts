import type { Drill } from '../../drills/drill.js';
import { runDrill } from '../../drills/support/run-drill.js';
import { complaintOf } from '../../drills/support/summary.js';

/** A drill at its small size: what is wrong in words, or nothing. `DRILL_PROGRESS=1` shows how it goes. */
export async function complaintOfSmall(drill: Drill, seed = 1): Promise<string> {
  const write = process.env['DRILL_PROGRESS'] ? { write: (line: string) => void process.stderr.write(`${line}\n`) } : {};
  return complaintOf(await runDrill(drill, { seed, scale: 'small', ...write }));
}

/** A small drill takes up to forty seconds on a machine that does nothing else. */
export const SMALL_TIMEOUT_MS = 90_000;
