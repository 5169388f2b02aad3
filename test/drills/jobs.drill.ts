import { controlJobs, jobs } from '../../drills/jobs.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('V2: jobs that are lost, duplicated, early, late or stalled free no seat that somebody holds, and everything comes about all the same', async () => {
  expect(await complaintOfSmall(jobs)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds a job that does not look whose the seats are now', async () => {
  expect(await complaintOfSmall({ ...jobs, run: controlJobs })).toBe('');
}, SMALL_TIMEOUT_MS);
