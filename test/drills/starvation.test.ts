import { CannotTell, type DrillRun } from '../../drills/drill.js';
import { expectAnswersInTime } from '../../drills/support/answer-times.js';
import { runDrill } from '../../drills/support/run-drill.js';
import { starvationOf, Waits, watchStarvation } from '../../drills/support/starvation.js';
import { negativeControl } from '../../drills/support/sub-run.js';
import { decidedOf } from '../../drills/support/trials.js';
import { eventually } from '../support/eventually.js';

/** What excuses a call is what was waited for, and no more than passed meanwhile; what is proof is what was looked for. */

describe('waits for a processor', () => {
  const API = { name: 'api-1', pid: 77 };
  const waited = new Map<number, number>();
  const waitsFor = (nodes = [API]): Waits => new Waits(nodes, 0, (pid) => waited.get(pid) ?? 0);

  beforeEach(() => waited.clear());

  test('before a process was first seen excuse nothing later, also after a restart', () => {
    waited.set(77, 5000);
    const node = { ...API };
    const waits = waitsFor([node]);
    waits.look(200);
    node.pid = 78;
    waited.set(78, 3000);
    waits.look(400);
    expect(waits.during('api-1', 0, 400)).toBe(0);
    waited.set(78, 3050);
    waits.look(600);
    expect(waits.during('api-1', 0, 600)).toBe(50);
    expect(waits.during('api-2', 0, 600)).toBe(0);
  });

  test('of this process and of the one that was asked are not added up, nor is a late look to what made it late', () => {
    const waits = waitsFor();
    waited.set(77, 150).set(process.pid, 100);
    waits.look(200);
    expect(waits.during('api-1', 0, 200)).toBe(150);
    waited.set(process.pid, 600);
    waits.look(900);
    expect(waits.during('api-2', 200, 900)).toBe(500);
  });

  test('are no longer than the time in which they were', () => {
    const waits = waitsFor();
    for (let second = 1; second <= 3; second += 1) {
      waited.set(77, 10_000 * second).set(process.pid, 20_000 * second);
      waits.look(1000 * second);
    }
    expect(waits.during('api-1', 0, 3000)).toBe(3000);
    expect(waits.during('api-1', 500, 700)).toBe(200);
    expect(waits.worstSecondMs()).toBe(1000);
  });
});

const reportOf = (run: (run: DrillRun) => Promise<void>) => runDrill({ name: 'sample', proves: '', run }, { seed: 1, scale: 'small' });

test('a machine on which too many answers wait for a processor does not tell', async () => {
  const report = await reportOf(async (run) => {
    const unwatch = watchStarvation(run.history, []);
    const operation = run.history.invoke({ process: 'ann', node: 'api-1', name: 'pay' });
    const until = performance.now() + 500;
    while (performance.now() < until);
    const keptMs = (): number => starvationOf(run.history).during('api-1', 0, run.history.now());
    await eventually(() => keptMs() > 200, 'the wait to be seen');
    unwatch();
    // One that would have been in time but for that.
    const late = { ...operation, invokedAt: run.history.now() - 6001 - keptMs() / 2, endedAt: run.history.now(), outcome: 'ok' as const };
    expectAnswersInTime(run, { operations: [late] });
  });
  expect([report.verdict, report.figures['late or silent for want of a processor']]).toEqual(['UNKNOWN', 1]);
  expect(report.cause).toContain(CannotTell.name);
});

test('a control has failed unless it finds what its guard prevents, whatever else it finds', async () => {
  const control = (kind: string) =>
    reportOf((run) => negativeControl(run, { name: 'a guard', edits: [], kinds: ['double-sale'] }, async (sub) => sub.violations([{ kind, what: 'seat 1', operations: [] }])));
  expect((await control('double-sale')).verdict).toBe('PASSED');
  expect((await control('expectation')).violations).toEqual([expect.objectContaining({ what: 'with a guard the drill finds double-sale' })]);
});

test('only what the sale decided is a trial', async () => {
  const report = await reportOf(async ({ history }) => {
    const reserve = () => history.invoke({ process: 'ann', node: 'api-1', name: 'reserve' });
    history.ok(reserve());
    history.fail(reserve(), 'SeatsUnavailable');
    history.fail(reserve(), 'QUEUE_TOKEN_WAITING');
    history.unknown(reserve(), 'ECONNRESET');
    expect([decidedOf(history.operations, ['reserve']), decidedOf(history.operations, ['pay'])]).toEqual([2, 0]);
  });
  expect(report.verdict).toBe('PASSED');
});
