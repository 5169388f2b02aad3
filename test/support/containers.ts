import { execFileSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, matchesGlob } from 'node:path';
import { fetchDebianPackages, findProgram } from '../../src/launcher/debian-packages.js';
import { ready, startServer, type ServerProcess } from '../../src/launcher/server-process.js';
import { findServers } from '../../src/launcher/servers.js';
import { readDockerfile, type Compose } from './compose.js';
import { freePort } from './free-port.js';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * Does without Docker what `docker build` does: the instructions of each stage in a folder of its own, with the files that .dockerignore lets through. One step is shortened: `npm ci` takes hard
 * links to the packages that npm ci has installed here instead of fetching them again. Answers the last stage's folder and command.
 */
export function buildImage(folder: string): { app: string; command: string[]; healthcheck: string[] } {
  const stages = [join(folder, 'build'), join(folder, 'image')];
  for (const stage of stages) mkdirSync(stage, { recursive: true });
  let [command, healthcheck]: string[][] = [[], []];
  for (const { stage, keyword, rest } of readDockerfile()) {
    const cwd = stages[stage]!;
    if (keyword === 'COPY') copy(rest, cwd, stages[0]!);
    else if (keyword === 'RUN' && rest === 'npm ci') linkPackages(cwd);
    else if (keyword === 'RUN') execFileSync('sh', ['-c', rest], { cwd, stdio: 'pipe' });
    else if (keyword === 'CMD') command = JSON.parse(rest) as string[];
    else if (keyword === 'HEALTHCHECK') healthcheck = JSON.parse(rest.slice(rest.indexOf('['))) as string[];
  }
  return { app: stages[1]!, command: command!, healthcheck: healthcheck! };
}

function copy(what: string, cwd: string, buildStage: string): void {
  const [from, ...paths] = what.startsWith('--from=') ? [buildStage, ...what.split(' ').slice(1)] : [process.cwd(), ...what.split(' ')];
  const target = paths.pop()!;
  for (const path of paths) {
    if (path === '.') for (const name of buildContext()) place(join(process.cwd(), name), join(cwd, name));
    else place(join(from!, path.replace('/app/', '')), join(cwd, target === './' ? path.replace('/app/', '') : target));
  }
}

const place = (from: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true });
  execFileSync('cp', ['-al', from, to]);
};

/** What `COPY . .` sees: all but the names in .dockerignore. */
function buildContext(): string[] {
  const ignored = readFileSync('.dockerignore', 'utf8').split('\n').filter((line) => line !== '');
  return readdirSync('.').filter((name) => !ignored.some((pattern) => matchesGlob(name, pattern)));
}

function linkPackages(cwd: string): void {
  // A copied link would lead what is deleted below into the folder it points at.
  if (lstatSync('node_modules').isSymbolicLink()) throw new Error('node_modules is a symbolic link: run npm ci here, this test deletes in its copy.');
  execFileSync('cp', ['-al', join(process.cwd(), 'node_modules'), cwd]);
  // npm rewrites this one in its place: a link would change the original too.
  const list = 'node_modules/.package-lock.json';
  rmSync(join(cwd, list));
  cpSync(list, join(cwd, list));
  rmSync(join(cwd, 'node_modules/.cache'), { recursive: true, force: true });
}

export interface TcpStores {
  databaseHost: string;
  redisHost: string;
  stop: ServerProcess[];
}

/** MariaDB and Redis with the commands of the compose file, on ports of this machine. */
export async function startComposeStores(compose: Compose, folder: string, password: string): Promise<TcpStores> {
  const servers = await findServers({ database: true, redis: true }, say);
  const [databasePort, redisPort] = [await freePort(), await freePort()];
  const data = join(folder, 'mariadb');
  for (const name of ['redis', 'tmp']) mkdirSync(join(folder, name), { recursive: true });
  const env = { ...servers.env, TMPDIR: join(folder, 'tmp') };
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : [];
  const base = ['--no-defaults', `--basedir=${servers.databaseBase}`, `--datadir=${data}`, ...asRoot];
  execFileSync(servers.installDb, [...base, '--auth-root-authentication-method=normal', '--skip-test-db'], { env: { ...process.env, ...env }, stdio: 'pipe' });
  // What the image's own start does with MARIADB_DATABASE, MARIADB_USER and MARIADB_PASSWORD.
  const setup = join(folder, 'setup.sql');
  writeFileSync(setup, `create database frontrow; create user frontrow@'%' identified by '${password}'; grant all on frontrow.* to frontrow@'%';`.replaceAll('; ', ';\n'));
  const sockets = { mariadb: join(folder, 'm.sock'), redis: join(folder, 'r.sock') };
  const mariadb = [servers.mariadbd, ...base, ...compose.services['mariadb']!.command!, `--init-file=${setup}`, `--socket=${sockets.mariadb}`, `--port=${databasePort}`, '--bind-address=127.0.0.1'];
  const [, ...redisArguments] = compose.services['redis']!.command!;
  const redis = [servers.redisServer, ...redisArguments, '--port', String(redisPort), '--bind', '127.0.0.1', '--dir', join(folder, 'redis'), '--unixsocket', sockets.redis];
  const stop = [startServer('MariaDB', mariadb, join(folder, 'mariadb.log'), env), startServer('Redis', redis, join(folder, 'redis.log'), env)];
  await Promise.all([ready(stop[0]!, sockets.mariadb), ready(stop[1]!, sockets.redis)]);
  return { databaseHost: `127.0.0.1:${databasePort}`, redisHost: `127.0.0.1:${redisPort}`, stop };
}

/** nginx with the template of the compose file, filled in as its image does: names of the environment and nothing else. */
export async function startNginx(template: string, env: Record<string, string>, folder: string): Promise<ServerProcess> {
  const machine = findProgram(['nginx']);
  const fetched = machine ? undefined : await fetchDebianPackages('nginx', ['nginx'], say);
  mkdirSync(folder, { recursive: true });
  const site = template.replace(/\$\{([A-Z_0-9]+)\}/g, (whole, name: string) => env[name] ?? whole);
  writeFileSync(join(folder, 'site.conf'), site);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n');
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const main = `${user} worker_processes 2; daemon off; pid ${folder}/nginx.pid; error_log stderr; events { worker_connections 1024; } http { access_log ${folder}/access.log; ${paths} include ${folder}/site.conf; }`;
  writeFileSync(join(folder, 'nginx.conf'), main);
  const program = machine ?? join(fetched!.root, 'usr/sbin/nginx');
  return startServer('nginx', [program, '-c', join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr'], join(folder, 'nginx.log'), fetched?.env ?? {});
}
