import { failPoints } from '../../drills/fail-points.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('V3, P2: a process that dies in the middle of a mutation or job leaves nothing half done: the repeated call is answered right, the job is done by another', async () => {
  expect(await complaintOfSmall(failPoints)).toBe('');
}, SMALL_TIMEOUT_MS);
