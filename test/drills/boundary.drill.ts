import { boundary, controlBoundary } from '../../drills/boundary.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('V2: a payment at the very end of its hold is either made, with seats and ledger, or too late, with nothing; nobody has the seats before', async () => {
  expect(await complaintOfSmall(boundary)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds a payment that does not look whether the hold is over', async () => {
  expect(await complaintOfSmall({ ...boundary, run: controlBoundary })).toBe('');
}, SMALL_TIMEOUT_MS);
