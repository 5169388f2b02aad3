import { pino } from 'pino';
import { ConfigError, readConfig } from './config.js';
import { LauncherError, startOwnStores } from './launcher/own-stores.js';
import { run } from './run.js';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = pino({ level: config.logLevel });
  const say = (line: string): void => console.log(line);
  const own = config.databaseUrl && config.redisUrl ? null : await startOwnStores(config.dataDir, say);
  const stores = {
    database: config.databaseUrl ? { url: config.databaseUrl } : own!.database,
    redis: config.redisUrl ?? own!.redis,
  };
  const running = await run(config, stores, logger);
  if (running.url) say(`Frontrow is ready: ${running.url}/graphiql`);
  const stop = async (): Promise<void> => {
    await running.close();
    await own?.stop();
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}

main().catch((error: unknown) => {
  console.error(error instanceof ConfigError || error instanceof LauncherError ? error.message : error);
  process.exitCode = 1;
});
