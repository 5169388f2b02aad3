import { clocks, controlClocks } from '../../drills/clocks.drill.js';
import { complaintOfSmall, SMALL_TIMEOUT_MS } from './small.js';

test('V2: processes whose clocks are minutes off, or jump by an hour, sell, admit and end holds in order and time', async () => {
  expect(await complaintOfSmall(clocks)).toBe('');
}, SMALL_TIMEOUT_MS);

test('the drill finds the clock of the process deciding whether a hold is over', async () => {
  expect(await complaintOfSmall({ ...clocks, run: controlClocks })).toBe('');
}, SMALL_TIMEOUT_MS);
