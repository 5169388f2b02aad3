import { soak } from '../../drills/soak.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('some faults of any kind, one after the other, lose nothing, and processes do not grow', async () => {
  expect(await complaintOfSmall(soak)).toBe('');
}, SMALL_TIMEOUT_MS);
