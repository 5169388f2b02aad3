import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fakeClock } from '../../drills/support/faketime.js';

const FIVE_MINUTES_MS = 300_000;
const TIMER_MS = 50;
/** Far above what a line needs to arrive, far below the smallest jump. */
const SLACK_MS = 10_000;

/** Answers each line with its wall clock, and how long a timer took by the monotonic clock. */
const PROGRAM = `
require('node:readline').createInterface({ input: process.stdin }).on('line', () => {
  const from = process.hrtime.bigint();
  setTimeout(() => console.log(JSON.stringify({ now: Date.now(), timerMs: Number(process.hrtime.bigint() - from) / 1e6 })), ${TIMER_MS});
});`;

test('a process lives by a wall clock of its own, which can jump while it runs, and its timers go on as ever', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clock-'));
  const clock = await fakeClock(folder, 'a-process', FIVE_MINUTES_MS);
  const child = spawn(process.execPath, ['-e', PROGRAM], { env: { ...process.env, ...clock.env }, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (): Promise<{ aheadMs: number; timerMs: number }> => {
    child.stdin.write('\n');
    const { now, timerMs } = JSON.parse((await lines.next()).value!) as { now: number; timerMs: number };
    return { aheadMs: now - Date.now(), timerMs };
  };
  try {
    for (const offset of [FIVE_MINUTES_MS, -FIVE_MINUTES_MS, 12 * FIVE_MINUTES_MS, 0]) {
      clock.set(offset);
      const { aheadMs, timerMs } = await ask();
      expect(Math.abs(aheadMs - offset)).toBeLessThan(SLACK_MS);
      expect(timerMs).toBeGreaterThan(TIMER_MS - 2);
      expect(timerMs).toBeLessThan(TIMER_MS + SLACK_MS);
    }
  } finally {
    child.stdin.end();
    await once(child, 'close');
    rmSync(folder, { recursive: true });
  }
});
