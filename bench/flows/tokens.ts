import type { BenchRun } from '../bench.js';
import { Histogram } from '../support/histogram.js';
import type { Market } from './market.js';
import { makeVisitors } from './visitors.js';

/** Ten users ask for a place in line 300 times each, one after the other; each time it is somebody new. */

const USERS = 10;
const EACH = 300;
const EACH_TO_WARM_UP = { quick: 100, full: EACH };
const PUBLISHED = { perSecond: 46.8, averageMs: 212, p95Ms: 397 };

export async function issueTokens(run: BenchRun, { world, load, frontrow: seller }: Market): Promise<void> {
  const turns = run.sized({ quick: 2, full: 5 });
  const rows: (string | number)[][] = [];
  const averages: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const count = USERS * (turn === 0 ? run.sized(EACH_TO_WARM_UP) : EACH);
    const visitors = await makeVisitors(world, seller, count, { balance: 0, admitted: false, datesPerConcert: 20 });
    const job = { port: seller.server.port, steps: [seller.steps.join], people: visitors.file, from: 0, to: count, stages: [{ ms: 600_000, users: USERS }], pids: seller.pids };
    const result = await seller.turn(() => load.flows(job));
    visitors.remove();
    const times = Histogram.of(result.times);
    // The first turn warms the server up.
    if (turn === 0) continue;
    averages.push(times.averageMs);
    rows.push([`turn ${turn}`, result.completed / result.seconds, times.averageMs, times.quantileMs(0.95), times.maxMs, (100 * (result.failed + result.refused)) / result.used]);
    run.expect(result.completed === USERS * EACH, `token issuing: all ${USERS * EACH} are in line${result.firstErrors[0] ? `: ${result.firstErrors[0]}` : ''}`);
  }
  run.table({
    title: `Token issuing: ${USERS} users × ${EACH}`,
    columns: ['', 'per second', 'average ms', 'p95 ms', 'max ms', 'failed %'],
    rows: [...rows, ['published by a system of this kind', PUBLISHED.perSecond, PUBLISHED.averageMs, PUBLISHED.p95Ms, '–', '–']],
    note: 'The published figures were measured on another machine: they give an order of magnitude, and no ratio is claimed.',
  });
  run.plot({
    kind: 'bars', title: 'Token issuing: average time', unit: 'ms', bars: averages.map((value, index) => ({ name: `turn ${index + 1}`, value })),
    references: [{ name: `published: ${PUBLISHED.averageMs} ms`, value: PUBLISHED.averageMs }],
  });
}
