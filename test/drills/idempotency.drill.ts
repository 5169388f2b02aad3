import { controlIdempotency, idempotency } from '../../drills/idempotency.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('what is asked for again and again, of processes that die, is done once and told the same each time', async () => {
  expect(await complaintOfSmall(idempotency)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds a charge that does not look for its key', async () => {
  expect(await complaintOfSmall({ ...idempotency, run: controlIdempotency })).toBe('');
}, SMALL_TIMEOUT_MS);
