import { oversell } from '../../drills/oversell.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('V3: a crowd on few seats buys each of them once and for all, also while processes are killed', async () => {
  expect(await complaintOfSmall(oversell)).toBe('');
}, SMALL_TIMEOUT_MS);
