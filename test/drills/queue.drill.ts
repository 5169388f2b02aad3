import { controlQueue, queue } from '../../drills/queue.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('a line keeps its order, capacity and places while people leave, processes die and others try every door', async () => {
  expect(await complaintOfSmall(queue)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds places that come from a clock', async () => {
  expect(await complaintOfSmall({ ...queue, run: controlQueue })).toBe('');
}, SMALL_TIMEOUT_MS);
