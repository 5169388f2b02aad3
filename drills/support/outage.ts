import { setTimeout as delay } from 'node:timers/promises';
import type { DrillRun } from '../drill.js';
import type { FrontrowNode } from './processes.js';
import type { StoreServer } from './stores.js';
import type { World } from './world.js';

/** What is looked at while something is away. */

export type Dependency = 'database' | 'redis';

const HEALTH_TIMEOUT_MS = 5000;
const ASK_EVERY_MS = 100;
const SOON_MS = 15_000;

/** Frozen for so long at least, and until the work is done. */
export async function whilePaused(run: DrillRun, store: StoreServer, pauseMs: number, work: () => Promise<void>): Promise<void> {
  store.pause();
  try {
    await Promise.all([delay(pauseMs, undefined, { signal: run.signal }), work()]);
  } finally {
    store.resume();
  }
}

async function checksOf(node: FrontrowNode): Promise<Record<string, string>> {
  const response = await fetch(`${node.operatorUrl}/health/ready`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
  return ((await response.json()) as { checks: Record<string, string> }).checks;
}

/** Each of these says itself, while it lasts, that this dependency is ill and the other one is not. */
export async function expectUnreadyFor(run: DrillRun, nodes: readonly FrontrowNode[], ill: Dependency, withinMs: number): Promise<void> {
  const well: Dependency = ill === 'database' ? 'redis' : 'database';
  const endsAt = performance.now() + withinMs;
  await Promise.all(
    nodes.map(async (node) => {
      let checks: Record<string, string> = {};
      do {
        checks = await checksOf(node).catch((error: unknown) => ({ health: String(error) }));
        if (checks[ill] === 'failed' && checks[well] === 'ok') return;
        await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
      } while (performance.now() < endsAt);
      run.expect(false, `${node.name} says that its ${ill} is ill and nothing else: ${JSON.stringify(checks)}`);
    }),
  );
}

/** For what need not be at once, but while it lasts. */
export async function expectSoon(run: DrillRun, what: string, ask: () => boolean): Promise<void> {
  const endsAt = performance.now() + SOON_MS;
  while (!ask() && performance.now() < endsAt) await delay(ASK_EVERY_MS, undefined, { signal: run.signal });
  run.expect(ask(), what);
}

/** Called in the end: no process of Frontrow has died of anything. */
export function expectSameProcesses(run: DrillRun, { nodes }: World): () => void {
  const pids = new Map(nodes.map((node) => [node, node.pid]));
  return () => {
    for (const [node, pid] of pids) run.expect(node.pid === pid, `${node.name} lives on: ${node.log().slice(-2000)}`);
  };
}
