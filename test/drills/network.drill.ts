import { network } from '../../drills/network.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('one process that is cut off from clients, database or Redis loses nothing, and the others go on', async () => {
  expect(await complaintOfSmall(network)).toBe('');
}, SMALL_TIMEOUT_MS);
