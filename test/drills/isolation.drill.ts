import { controlIsolation, isolation } from '../../drills/isolation.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('nothing rests on the isolation that is asked for: the sale stays right at REPEATABLE READ with snapshot isolation', async () => {
  expect(await complaintOfSmall(isolation)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds a wallet that is neither locked nor compared with its version', async () => {
  expect(await complaintOfSmall({ ...isolation, run: controlIsolation })).toBe('');
}, SMALL_TIMEOUT_MS);
