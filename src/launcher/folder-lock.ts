import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from './debian-packages.js';
import { LauncherError } from './launcher-error.js';

/**
 * One Frontrow at a time on a data folder. The kernel keeps both locks on open files, so that no kill can leave one behind: `frontrow.lock` is ours alone, `servers.lock`
 * is inherited by the servers and lasts until the last of them has ended. So another running Frontrow is told at once from servers of a killed one that still write their files.
 */
export interface FolderLock {
  /** For the servers to inherit. */
  serversFd: number;
  release(): void;
}

const SERVERS_END_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

export async function lockFolder(data: string, say: (line: string) => void): Promise<FolderLock> {
  const ownFd = openSync(join(data, 'frontrow.lock'), 'a');
  const serversFd = openSync(join(data, 'servers.lock'), 'a');
  const release = (): void => [ownFd, serversFd].forEach((fd) => closeSync(fd));
  try {
    if (!(await lock(ownFd))) throw new LauncherError(`Another Frontrow is running on the data in ${data}. Stop it, or set DATA_DIR to another folder.`);
    await waitForServers(serversFd, data, say);
    return { serversFd, release };
  } catch (error) {
    release();
    throw error;
  }
}

async function waitForServers(fd: number, data: string, say: (line: string) => void): Promise<void> {
  if (await lock(fd)) return;
  say('The servers of a killed run are still ending; waiting for them …');
  const deadline = Date.now() + SERVERS_END_TIMEOUT_MS;
  while (!(await lock(fd))) {
    if (Date.now() > deadline) throw new LauncherError(`A MariaDB or Redis of an earlier run still uses the data in ${data}. Stop it, or set DATA_DIR to another folder.`);
    await delay(POLL_MS);
  }
}

/** True when the open file is locked now. The lock belongs to the open file that we share with the flock command, so it stays when that ends. */
async function lock(fd: number): Promise<boolean> {
  const program = findProgram(['flock']);
  // Not on Linux: MariaDB's and Redis's own locks on their files must do.
  if (!program) return true;
  const flock = spawn(program, ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  const [code] = await once(flock, 'close');
  return code === 0;
}
