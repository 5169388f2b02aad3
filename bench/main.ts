import { listenForCtrlC } from '../drills/support/interruption.js';
import { catalogue } from './catalogue.js';
import { command } from './support/command.js';
import { pageOf } from './support/html.js';
import { pinProcess } from './support/pin.js';
import { linesOf, readReports, savePage, saveReport } from './support/report.js';
import { markRunning, unmarkRunning } from './support/running-mark.js';
import { runBench } from './support/run-bench.js';
import { Stage } from './support/stage.js';

/** `npm run bench [-- name…] [--quick]`: measures Frontrow beside what else one would use, and says whether it is as fast as it must be. */

// Whatever this program does while it measures must not disturb the server under test.
pinProcess('rest', process.pid);
const signal = listenForCtrlC();
const startedAt = performance.now();
const say = (line: string): void => console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
const stage = new Stage();
const inOrder = (name: string): number => catalogue.findIndex((bench) => bench.name === name);

process.exitCode = await command(process.argv.slice(2), {
  catalogue,
  write: (line) => console.log(line),
  complain: (line) => console.error(line),
  interrupted: () => signal.aborted,
  run: async (bench, how) => {
    markRunning();
    const report = await runBench(bench, { ...how, signal, say }, stage);
    for (const line of linesOf(report)) console.log(line);
    if (!signal.aborted) saveReport(report);
    return report;
  },
  finish: (mode) => `report: ${savePage(mode, pageOf(readReports(mode).toSorted((one, other) => inOrder(one.bench) - inOrder(other.bench))))}`,
});
// Only where it was interrupted before the last bench of a stage.
await stage.close();
unmarkRunning();
