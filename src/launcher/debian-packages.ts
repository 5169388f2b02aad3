import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const APT_TIMEOUT_MS = 300_000;

/** Programs of Debian packages in a folder of the user's, never installed into the system. */
export interface UnpackedPackages {
  root: string;
  /** What a program out of `root` needs in its environment to find its libraries. */
  env: Record<string, string>;
}

export const cacheDir = (): string => join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'frontrow');

/**
 * Downloads Debian packages with what they depend on and unpacks them below the cache folder; needs apt-get and dpkg, but no root.
 * With `complete` the machine's own packages count as absent, so that every library comes along. Done once: later calls find the folder.
 */
export async function fetchDebianPackages(name: string, packages: string[], say: (line: string) => void, complete = false): Promise<UnpackedPackages> {
  const target = join(cacheDir(), name);
  if (!existsSync(target)) {
    say(`Fetching ${packages.join(', ')} from the distribution, once and without root …`);
    mkdirSync(cacheDir(), { recursive: true });
    const work = mkdtempSync(join(cacheDir(), `.${name}-`));
    try {
      await download(work, packages, say, complete);
      await unpack(work, say);
      if (!existsSync(target)) renameSync(join(work, 'root'), target);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return { root: target, env: { LD_LIBRARY_PATH: libraryPath(target) } };
}

async function download(work: string, packages: string[], say: (line: string) => void, complete: boolean): Promise<void> {
  const folders = { lists: join(work, 'lists'), archives: join(work, 'archives') };
  for (const folder of Object.values(folders)) mkdirSync(join(folder, 'partial'), { recursive: true });
  const options = [
    `Dir::State::lists=${folders.lists}`,
    `Dir::Cache::archives=${folders.archives}`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    'Debug::NoLocking=1',
    'APT::Sandbox::User=',
  ];
  if (complete) {
    const status = join(work, 'status');
    writeFileSync(status, '');
    options.push(`Dir::State::status=${status}`);
  }
  const apt = (...args: string[]) =>
    run('apt-get', [...options.flatMap((option) => ['-o', option]), '-qq', ...args], { timeout: APT_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 });
  say('Reading the list of packages …');
  await apt('update');
  say('Downloading …');
  const reinstall = complete ? [] : ['--reinstall'];
  await apt('install', '-y', '-d', '--no-install-recommends', ...reinstall, ...packages);
}

async function unpack(work: string, say: (line: string) => void): Promise<void> {
  const archives = join(work, 'archives');
  const files = readdirSync(archives).filter((file) => file.endsWith('.deb'));
  say(`Unpacking ${files.length} packages …`);
  mkdirSync(join(work, 'root'));
  for (const file of files) await run('dpkg', ['-x', join(archives, file), join(work, 'root')]);
}

function libraryPath(root: string): string {
  const folders = ['usr/lib', 'lib'].flatMap((folder) => [join(root, folder), ...multiarchFolders(join(root, folder))]);
  return folders.filter((folder) => existsSync(folder)).join(delimiter);
}

const multiarchFolders = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('-linux-gnu')).map((name) => join(folder, name)) : [];

/** Whether this machine can fetch packages at all. */
export const canFetchDebianPackages = (): boolean => ['apt-get', 'dpkg'].every((name) => findProgram([name]) !== undefined);

/** The first of the programs that is below `root`, or else on the PATH or in the sbin folder beside one of it: servers live there, and users seldom have it on their PATH. */
export function findProgram(names: string[], root?: string): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const folders = root
    ? ['usr/sbin', 'usr/bin', 'sbin', 'bin'].map((folder) => join(root, folder))
    : [...onPath, ...onPath.map((folder) => join(dirname(folder), 'sbin'))];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file));
}
