import type { Bench, Mode } from '../../bench/bench.js';
import { command, type Surroundings } from '../../bench/support/command.js';
import type { Report } from '../../bench/support/report.js';

const benches: Bench[] = ['one', 'two'].map((name) => ({ name, asks: `What is ${name}?`, run: async () => undefined }));

function surroundings(verdicts: Record<string, Report['verdict']> = {}) {
  const ran: string[] = [];
  const said: string[] = [];
  const around: Surroundings = {
    catalogue: benches,
    write: (line) => said.push(line),
    complain: (line) => said.push(line),
    interrupted: () => false,
    finish: (mode: Mode) => `finished ${mode}`,
    run: async ({ name }, { mode, short }) => {
      ran.push(`${name} ${short ? 'short' : mode}`);
      return { bench: name, verdict: verdicts[name] ?? 'met', tookSeconds: 1 } as Report;
    },
  };
  return { around, ran, said };
}

test('all benches are run when none is named, else the named ones', async () => {
  const { around, ran, said } = surroundings();
  expect(await command([], around)).toBe(0);
  expect(await command(['two', '--quick'], around)).toBe(0);
  expect(await command(['one', '--short'], around)).toBe(0);
  expect(ran).toEqual(['one full', 'two full', 'two quick', 'one short']);
  expect(said).toContain('finished quick');
});

test('a stage stays while the next bench is of the same one', async () => {
  const { around } = surroundings();
  const stays: boolean[] = [];
  const run: Surroundings['run'] = async (bench, how) => {
    stays.push(how.stageStays);
    return around.run(bench, how);
  };
  const catalogue = ['market', 'market', undefined, undefined, 'market'].map((stage, index): Bench => ({ name: `${index}`, asks: '', ...(stage ? { stage } : {}), run: async () => undefined }));
  await command([], { ...around, catalogue, run });
  expect(stays).toEqual([true, false, false, false, false]);
});

test('the exit code says the worst: short or failed, then what could not be told', async () => {
  expect(await command([], surroundings({ one: 'inconclusive' }).around)).toBe(2);
  expect(await command([], surroundings({ one: 'inconclusive', two: 'short' }).around)).toBe(1);
  expect(await command([], surroundings({ one: 'failed' }).around)).toBe(1);
});

test('where speed does not count, only what failed is an error', async () => {
  expect(await command(['--any-speed'], surroundings({ one: 'inconclusive', two: 'short' }).around)).toBe(0);
  expect(await command(['--any-speed'], surroundings({ one: 'short', two: 'failed' }).around)).toBe(1);
  expect(await command(['--any-speed'], { ...surroundings().around, interrupted: () => true })).toBe(2);
});

test('a name that is not there is wrong usage, and so is an option', async () => {
  const { around, ran, said } = surroundings();
  expect(await command(['three'], around)).toBe(64);
  expect(await command(['--slow'], around)).toBe(64);
  expect(ran).toEqual([]);
  expect(said[0]).toContain('There is no bench "three". There are: one, two.');
});
