import { destination } from 'pino';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config.js';
import { tuneEngine } from '../../src/launcher/engine.js';
import { createLogger } from '../../src/logging.js';
import { burst } from '../support/burst.js';
import { obey } from '../support/control.js';
import { Connections } from './connections.js';
import { frontrow, poolMeter } from './frontrow.js';
import type { Contest, Contested, StrategyName } from './contest.js';
import { OTHERS } from './others.js';
import type { Strategy, Tools } from './strategy.js';

/** All strategies in one process on the core of the server under test; one at a time, each with a pool of its own that is warm. */

const CONNECTIONS_MAX = 64;

tuneEngine();
const config = readConfig(process.env);
const [database, redis] = [config.databaseUrl!, config.redisUrl!];
const app = await createApp(config, { database: { url: database }, redis }, createLogger('warn', destination(2)));
const ofFrontrow = await poolMeter(app);

interface Contender {
  strategy: Strategy;
  tools: Tools;
}
const contenders = new Map<StrategyName, Contender>();

function contenderOf(name: StrategyName): Contender {
  const known = contenders.get(name);
  if (known) return known;
  const tools: Tools = { connections: new Connections({ uri: database }, CONNECTIONS_MAX), redis, tally: { retries: 0 } };
  const contender = { strategy: name === 'frontrow' ? frontrow(app) : OTHERS[name](tools), tools };
  contenders.set(name, contender);
  return contender;
}

await obey<Contest, Contested>(async ({ strategy: name, date, wishes }) => {
  const { strategy, tools } = contenderOf(name);
  tools.tally.retries = 0;
  tools.connections.heldMax = 0;
  ofFrontrow();
  let held = 0;
  const { seconds, cpuUs, p50Ms, p95Ms, errors } = await burst(wishes.length, wishes.length, async (index) => {
    if ((await strategy.buy({ buyer: index + 1, date, seat: wishes[index]! })) === 'HELD') held += 1;
  });
  return { seconds, cpuUs, p50Ms, p95Ms, errors, held, retries: tools.tally.retries, connections: name === 'frontrow' ? ofFrontrow() : tools.connections.heldMax };
});
