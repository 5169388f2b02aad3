import { redis } from '../../drills/redis.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('a Redis that is killed, wiped, frozen or old under load costs no money, no seat and no place in line', async () => {
  expect(await complaintOfSmall(redis)).toBe('');
}, SMALL_TIMEOUT_MS);
