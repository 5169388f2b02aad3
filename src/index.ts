import { destination } from 'pino';
import { readSettings, type Config } from './config.js';
import { tuneEngine } from './launcher/engine.js';
import { explain } from './launcher/explain.js';
import { greeting } from './launcher/greeting.js';
import { startOwnStores, type OwnStores } from './launcher/own-stores.js';
import { stopOnSignal } from './launcher/stop-signals.js';
import { createLogger } from './logging.js';
import { run } from './run.js';

tuneEngine();

/** Standard output is for people and tools that start us; logs go to standard error. */
const say = (line: string): void => console.log(line);
let config: Config | undefined;
let own: OwnStores | undefined;

async function main(): Promise<void> {
  config = readSettings();
  const logger = createLogger(config.logLevel, destination(2));
  const needed = { database: !config.databaseUrl, redis: !config.redisUrl };
  if (needed.database || needed.redis) own = await startOwnStores(config.dataDir, say, needed);
  const database = config.databaseUrl ? { url: config.databaseUrl } : own!.database;
  say(`Bringing the tables${config.seedDemo ? ' and the demo data' : ''} up to date …`);
  const running = await run(config, { database, redis: config.redisUrl ?? own!.redis }, logger);
  for (const line of greeting(config, running)) say(line);
  const stop = async (): Promise<void> => {
    await running.close();
    await own?.stop();
    say('Stopped.');
  };
  stopOnSignal(stop, say, process.env['npm_lifecycle_event'] !== undefined);
}

main().catch(async (error: unknown) => {
  console.error(explain(error, config));
  await own?.stop();
  // Whatever a start that failed half-way has opened would keep the process alive.
  process.exit(1);
});
