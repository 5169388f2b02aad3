import { CannotTell, type Drill, type DrillRun } from '../../drills/drill.js';
import { command } from '../../drills/support/command.js';
import { commitOf } from '../../drills/support/report.js';
import { runDrill } from '../../drills/support/run-drill.js';
import { complaintOf, summaryOf } from '../../drills/support/summary.js';

/** The harness itself: whatever a drill does, the verdict is right and everything is closed. */

const drillOf = (run: (run: DrillRun) => Promise<void>): Drill => ({ name: 'sample', proves: 'nothing', run });
const outcome = (run: (run: DrillRun) => Promise<void>, signal?: AbortSignal) => runDrill(drillOf(run), { seed: 1, scale: 'small', ...(signal ? { signal } : {}) });

test('a drill that finds nothing wrong has passed', async () => {
  const report = await outcome(async (run) => {
    run.expect(true, 'fine');
    run.violations([]);
    run.figure('trials', 3);
    run.history.ok(run.history.invoke({ process: 'ann', node: 'api-1', name: 'pay' }));
    expect(await run.part('first', async () => run.sized({ small: 1, full: 2 }))).toBe(1);
  });
  expect(report).toMatchObject({ verdict: 'PASSED', figures: { trials: 3 }, operations: { pay: { ok: 1, fail: 0, unknown: 0 } }, parts: [{ name: 'first' }], violationCount: 0 });
  expect(complaintOf(report)).toBe('');
});

test('a drill that expected something else has failed, also when it cannot go on after that', async () => {
  const report = await outcome(async (run) => {
    const operation = run.history.invoke({ process: 'ann', node: 'api-1', name: 'pay', args: { reservationId: 'r' } });
    run.history.unknown(operation, 'ECONNRESET');
    run.violations([{ kind: 'double-sale', what: 'seat 1', operations: [operation] }]);
    run.expect(false, 'all seats are sold');
    throw new CannotTell('no final reads');
  });
  expect(report.verdict).toBe('FAILED');
  expect(complaintOf(report)).toMatch(/double-sale: seat 1[^]*pay ann → api-1 \{"reservationId":"r"\}: unknown ECONNRESET[^]*expectation: all seats are sold/);
});

test('a drill that could not be judged is unknown, which is not passed', async () => {
  for (const error of [new CannotTell('no final reads'), new TypeError('a bug')]) {
    const report = await outcome(() => Promise.reject(error));
    expect(report.verdict).toBe('UNKNOWN');
    expect(complaintOf(report)).toContain(error.message);
  }
});

test('only the first violations are listed, all are counted', async () => {
  const report = await outcome(async (run) => {
    for (let count = 0; count < 30; count += 1) run.expect(false, `number ${count}`);
  });
  expect(report.violationCount).toBe(30);
  expect(report.violations).toHaveLength(20);
  expect(complaintOf(report)).toContain('… 10 more');
});

test('what was opened is closed, the latest first, whatever happens', async () => {
  const closed: number[] = [];
  const report = await outcome(async (run) => {
    run.closing(() => void closed.push(1));
    run.closing(() => Promise.reject(new Error('stuck')));
    run.closing(() => void closed.push(2));
    throw new Error('a bug');
  });
  expect(closed).toEqual([2, 1]);
  expect(report.cause).toContain('a bug');
});

test('an interrupted drill ends at once and is unknown, even if it does not listen', async () => {
  const interruption = new AbortController();
  let closed = false;
  const report = await outcome(async (run) => {
    run.closing(() => void (closed = true));
    interruption.abort(new Error('interrupted'));
    await new Promise(() => undefined);
  }, interruption.signal);
  expect([report.verdict, closed]).toEqual(['UNKNOWN', true]);
});

test('the table has a row for each drill and scale, with the ranges over its seeds and the bound that no failure leaves', async () => {
  const sample = await outcome(async (run) => run.figure('trials', 1500));
  const runs = [1, 2].map((seed) => ({ ...sample, seed, commit: 'abc1234', tookSeconds: seed * 10, figures: { trials: 1500, kills: seed } }));
  const [, , row, ...others] = summaryOf(runs).split('\n');
  expect(row).toBe('| sample | small | 1, 2 | abc1234 | 3,000 | 1.0e-3 | 10–20 s | kills: 1–2 | PASSED |');
  expect(others).toEqual([]);
  expect(summaryOf([{ ...sample, verdict: 'FAILED' }])).toContain('| seed 1: FAILED |');
});

test('a report says which commit was drilled, if there is one', async () => {
  expect((await outcome(async () => undefined)).commit).toMatch(/^([0-9a-f]{7,}(\+changes)?|unknown)$/);
  expect(commitOf('/')).toBe('unknown');
});

describe('the command', () => {
  const passes: Drill = { name: 'passes', proves: 'that it passes', run: async () => undefined };
  const fails: Drill = { name: 'fails', proves: 'that it fails', run: async (run) => run.expect(false, 'it') };
  const soak: Drill = { name: 'soak', proves: 'that it is told how long', run: async (run) => run.expect(run.minutes === 7, 'seven minutes') };

  async function say(...args: string[]) {
    const [written, complained]: [string[], string[]] = [[], []];
    const code = await command(args, {
      catalogue: [passes, fails, soak], apart: ['soak'], save: false, interruption: () => new AbortController().signal,
      write: (line) => void written.push(line), complain: (line) => void complained.push(line),
    });
    return { code, written: written.join('\n'), complained: complained.join('\n') };
  }

  test('lists the drills with what each proves', async () => {
    expect(await say('--list')).toMatchObject({ code: 0, written: 'passes  that it passes\nfails   that it fails\nsoak    that it is told how long' });
  });

  test('ends with 0 when all have passed, else with what the worst of them says; all leaves soak out', async () => {
    expect((await say('passes', '--seed', '3', '--small')).written).toContain('passes (small, seed 3): PASSED');
    const all = await say('all');
    expect(all.code).toBe(1);
    expect(all.written).toMatch(/seed 1, full:\nPASSED {3}passes \(0 s\)\nFAILED {3}fails \(0 s\)$/);
    expect((await say('soak', '--minutes', '7')).code).toBe(0);
  });

  test.each([
    [['no-such-drill'], 'There is no drill "no-such-drill". There are: passes, fails, soak, all.'],
    [[], 'Which drill?'],
    [['passes', '--seed', 'x'], '--seed must be a whole number'],
    [['passes', '--wrong'], '--wrong'],
  ])('says what is wrong with %j', async (args, says) => {
    const { code, complained } = await say(...args);
    expect(code).toBe(64);
    expect(complained).toContain(says);
    expect(complained).toContain('npm run drill -- <name>');
  });
});
