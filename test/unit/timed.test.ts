import { spawnSync } from 'node:child_process';
import { STALL_MS, timed } from '../support/timed.js';

const stand = (ms: number) => async (): Promise<void> => void spawnSync('sleep', [String(ms / 1000)]);

test('a process that stands is no delay, up to a stall', async () => {
  const short = await timed(stand(300));
  expect(short.stoodMs).toBeGreaterThanOrEqual(250);
  expect(short.ownMs).toBe(short.ms - short.stoodMs);
  expect((await timed(stand(STALL_MS + 300))).stoodMs).toBe(STALL_MS);
});

test('a process that is busy is one', async () => {
  const { ownMs } = await timed(async () => {
    const from = process.cpuUsage();
    for (let used = 0; used < 300_000; ) ({ user: used } = process.cpuUsage(from));
  });
  expect(ownMs).toBeGreaterThanOrEqual(290);
});
