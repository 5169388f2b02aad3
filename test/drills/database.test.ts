import { database } from '../../drills/database.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('a database that is killed or frozen under load loses nothing that was acknowledged', async () => {
  expect(await complaintOfSmall(database)).toBe('');
}, SMALL_TIMEOUT_MS);
