import type { BenchRun } from '../../bench/bench.js';
import { interleave, WARM_UP, type Side } from '../../bench/support/interleave.js';

/** Whose turn it is. */

const run = { signal: new AbortController().signal, say: () => undefined } as unknown as BenchRun;

test('all sides warm up, then take turns, in reverse order in every other round; who is only shown leaves after its rounds', async () => {
  const turns: string[] = [];
  const side = (name: string, rounds?: number): Side => ({ name, ...(rounds ? { rounds } : {}), measure: async (round) => (turns.push(`${name} ${round}`), { round }) });
  const samples = await interleave(run, 'turns', [side('a'), side('b', 1), side('c')], 3);
  expect(turns).toEqual([...['a', 'b', 'c'].map((name) => `${name} ${WARM_UP}`), 'a 0', 'b 0', 'c 0', 'c 1', 'a 1', 'a 2', 'c 2']);
  expect(samples.get('a')).toEqual([{ round: 0 }, { round: 1 }, { round: 2 }]);
  expect(samples.get('b')).toEqual([{ round: 0 }]);
});
