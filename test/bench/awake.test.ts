import { setImmediate as turn } from 'node:timers/promises';
import { stayAwake } from '../../bench/support/awake.js';

const immediates = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length;

test('a load that stays awake has something to do in every turn of its loop, until it may rest', async () => {
  const before = immediates();
  const rest = stayAwake();
  for (let turns = 0; turns < 3; turns += 1) {
    expect(immediates()).toBe(before + 1);
    await turn();
  }
  rest();
  await turn();
  await turn();
  expect(immediates()).toBe(before);
});
