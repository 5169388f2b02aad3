import type { Bench } from '../../bench/bench.js';
import { runBench } from '../../bench/support/run-bench.js';
import { Stage } from '../../bench/support/stage.js';

/** Servers that two benches share are made once, and never outlive the last of them. */

const how = { mode: 'quick', short: false, signal: new AbortController().signal, say: () => undefined } as const;

function benchOn(events: string[], fails = false): Bench {
  return {
    name: 'one', asks: 'What is one?', stage: 'the same',
    run: async (run) => {
      run.closing(() => void events.push('bench closed'));
      await run.onStage(async (stage) => {
        events.push('made');
        stage.closing(() => void events.push('stage closed'));
        return {};
      });
      if (fails) throw new Error('It fails.');
      events.push('measured');
    },
  };
}

test('what is on a stage is made by the first bench, found by the next and ended after the last', async () => {
  const [events, stage] = [[] as string[], new Stage()];
  await runBench(benchOn(events), { ...how, stageStays: true }, stage);
  expect(events).toEqual(['made', 'measured', 'bench closed']);
  await runBench(benchOn(events), { ...how, stageStays: false }, stage);
  expect(events).toEqual(['made', 'measured', 'bench closed', 'measured', 'bench closed', 'stage closed']);
});

test('after a bench that failed the next one finds an empty stage', async () => {
  const [events, stage] = [[] as string[], new Stage()];
  const { verdict } = await runBench(benchOn(events, true), { ...how, stageStays: true }, stage);
  expect(verdict).toBe('failed');
  await runBench(benchOn(events), { ...how, stageStays: false }, stage);
  expect(events).toEqual(['made', 'bench closed', 'stage closed', 'made', 'measured', 'bench closed', 'stage closed']);
});

describe('a bench fails', () => {
  const verdictOf = async (run: Bench['run']): Promise<string> => (await runBench({ name: 'one', asks: 'What is one?', run }, { ...how, stageStays: false }, new Stage())).verdict;

  test('where something it expects is wrong, however fast it was', async () => {
    expect(await verdictOf(async (run) => run.gate({ name: 'speed', value: 2, atLeast: 1 }))).toBe('met');
    expect(
      await verdictOf(async (run) => {
        run.gate({ name: 'speed', value: 2, atLeast: 1 });
        run.expect(false, 'no seat was sold twice');
      }),
    ).toBe('failed');
  });

  test('where it throws, or where what it started cannot be ended', async () => {
    expect(await verdictOf(() => Promise.reject(new Error('no answer')))).toBe('failed');
    expect(await verdictOf(async (run) => run.closing(() => Promise.reject(new Error('it goes on'))))).toBe('failed');
  });
});

test('what cannot be closed keeps nothing else from being closed, and fails the bench', async () => {
  const events: string[] = [];
  const bench: Bench = {
    name: 'one', asks: 'What is one?',
    run: (run) => {
      run.closing(() => void events.push('first'));
      run.closing(() => Promise.reject(new Error('stuck')));
      run.closing(() => void events.push('last'));
      return Promise.resolve();
    },
  };
  const { verdict, cause } = await runBench(bench, { ...how, stageStays: false }, new Stage());
  expect([events, verdict, cause]).toEqual([['last', 'first'], 'failed', 'not closed in order: Error: stuck']);
});
