import { setImmediate as turn } from 'node:timers/promises';
import { stayAwake } from '../../bench/support/awake.js';
import { eventually } from '../support/eventually.js';

const immediates = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length;
/** Those of others come and go. */
const none = (): Promise<true> => eventually(() => immediates() === 0, 'a turn with nothing to do');

test('a load that stays awake has something to do in every turn of its loop, until it may rest', async () => {
  await none();
  const rest = stayAwake();
  for (let turns = 0; turns < 3; turns += 1) {
    expect(immediates()).toBeGreaterThanOrEqual(1);
    await turn();
  }
  rest();
  await none();
});
