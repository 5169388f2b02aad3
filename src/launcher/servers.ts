import { dirname } from 'node:path';
import { canFetchDebianPackages, fetchDebianPackages, findProgram } from './debian-packages.js';
import { LauncherError } from './launcher-error.js';

/** Which stores are to be run: the ones that no URL names. */
export interface Needed {
  database: boolean;
  redis: boolean;
}

/** The programs to run them with. */
export interface Servers {
  mariadbd: string;
  installDb: string;
  databaseBase: string;
  redisServer: string;
  /** What fetched programs need to find their libraries. */
  env: Record<string, string>;
}

const PACKAGES = ['mariadb-server-core', 'mariadb-client-core', 'redis-server', 'redis-tools'];

/** Finds the servers on the machine, else fetches them from the distribution's packages without root. */
export async function findServers(needed: Needed, say: (line: string) => void): Promise<Servers> {
  const onMachine = serversBelow(undefined, {}, needed);
  if (onMachine) return onMachine;
  if (!canFetchDebianPackages()) throw new LauncherError(noServers(needed, 'there is no apt-get to fetch it with'));
  const { root, env } = await fetchDebianPackages('servers', PACKAGES, say).catch((error: unknown) => {
    throw new LauncherError(noServers(needed, `fetching it failed: ${reasonOf(error)}`));
  });
  const fetched = serversBelow(root, env, needed);
  if (!fetched) throw new LauncherError(noServers(needed, `it is not in the fetched packages in ${root}; remove that folder to fetch them again`));
  return fetched;
}

function noServers(needed: Needed, why: string): string {
  const [names, packages, urls] = [
    [needed.database && 'MariaDB', needed.redis && 'Redis'],
    [needed.database && 'mariadb-server', needed.redis && 'redis-server'],
    [needed.database && 'DATABASE_URL', needed.redis && 'REDIS_URL'],
  ].map((words) => words.filter(Boolean).join(' and '));
  return (
    `Frontrow needs ${names}, which is not on this machine, and ${why}.\n` +
    `Install ${packages}, or set ${urls} to running ones, or run everything in containers, as docker-compose.yml says: docker compose up --build`
  );
}

/** What apt-get said, without the command line in front of it. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return said || (error instanceof Error ? error.message : String(error));
}

function serversBelow(root: string | undefined, env: Record<string, string>, needed: Needed): Servers | undefined {
  const mariadbd = findProgram(['mariadbd'], root);
  const installDb = findProgram(['mariadb-install-db'], root);
  const printDefaults = findProgram(['my_print_defaults'], root);
  const redisServer = findProgram(['redis-server', 'valkey-server'], root);
  if (needed.database && !(mariadbd && installDb && printDefaults)) return undefined;
  if (needed.redis && !redisServer) return undefined;
  return { mariadbd: mariadbd ?? '', installDb: installDb ?? '', databaseBase: dirname(dirname(mariadbd ?? '')), redisServer: redisServer ?? '', env };
}
