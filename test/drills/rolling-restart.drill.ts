import { controlRollingRestart, rollingRestart } from '../../drills/rolling-restart.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('processes that are restarted one after the other finish what is under way and lose nothing', async () => {
  expect(await complaintOfSmall(rollingRestart)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds processes that are killed instead', async () => {
  expect(await complaintOfSmall({ ...rollingRestart, run: controlRollingRestart })).toBe('');
}, SMALL_TIMEOUT_MS);
