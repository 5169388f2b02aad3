import { setTimeout as delay } from 'node:timers/promises';
import type { DrillRun } from '../drill.js';
import type { FrontrowNode } from './processes.js';
import type { Random } from './random.js';

export interface Kills {
  count: number;
  everyMs: number;
  /** Dead for so long at least before it is started again. */
  deadMaxMs: number;
  /** So many of a role are left alone, always. */
  aliveMin: number;
  /** Asked before each: ends it before all kills are done. */
  over?: () => boolean;
}

/** kill -9 of one process after the other, whatever it is doing; each is started again. Resolves when all kills are done and everybody runs. */
export async function killInTurn(run: DrillRun, nodes: readonly FrontrowNode[], { count, everyMs, deadMaxMs, aliveMin, over = () => false }: Kills): Promise<number> {
  const random = run.random.fork('kills');
  const restarts = new Map<FrontrowNode, Promise<void>>();
  let kills = 0;
  while (kills < count) {
    await delay(everyMs, undefined, { signal: run.signal });
    if (over()) break;
    const victim = await pickVictim(nodes, restarts, aliveMin, random);
    await victim.kill();
    kills += 1;
    run.say(`kill -9 of ${victim.name} (${kills}${count === Infinity ? '' : ` of ${count}`})`);
    const restarted = restart(run, victim, random.below(deadMaxMs)).finally(() => restarts.delete(victim));
    restarted.catch(() => undefined);
    restarts.set(victim, restarted);
  }
  await Promise.all(restarts.values());
  return kills;
}

/** One of those that run, as long as enough of its role are left; waits for a restart where there is none. */
async function pickVictim(nodes: readonly FrontrowNode[], restarts: Map<FrontrowNode, Promise<void>>, aliveMin: number, random: Random): Promise<FrontrowNode> {
  for (;;) {
    const alive = nodes.filter((node) => !restarts.has(node));
    const victims = alive.filter(({ role }) => alive.filter((node) => node.role === role).length > aliveMin || nodes.filter((node) => node.role === role).length <= aliveMin);
    if (victims.length > 0) return random.pick(victims);
    await Promise.race(restarts.values());
  }
}

async function restart(run: DrillRun, node: FrontrowNode, deadMs: number): Promise<void> {
  await delay(deadMs, undefined, { signal: run.signal });
  await node.start();
}
