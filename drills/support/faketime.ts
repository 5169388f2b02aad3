import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fetchDebianPackages } from '../../src/launcher/debian-packages.js';

/** A wall clock of its own for a process: the environment for its start, and the way to move it while it runs. */
export interface FakeClock {
  /** LD_PRELOAD and settings of libfaketime; timers, which go by the monotonic clock, are left alone. */
  env: Record<string, string>;
  /** From now on the process's wall clock is so far ahead of (below 0: behind) the machine's. It sees that at once. */
  set(offsetMs: number): void;
}

/** Makes one for a process, with its file in the folder. The library comes from Debian's packages, once and without root. */
export async function fakeClock(folder: string, name: string, offsetMs = 0, say: (line: string) => void = () => undefined): Promise<FakeClock> {
  const file = join(folder, `${name}.clock`);
  const set = (offset: number): void => {
    // Put in place whole: the process reads it at every look at the clock.
    writeFileSync(`${file}.new`, `${offset < 0 ? '-' : '+'}${Math.abs(offset) / 1000}\n`);
    renameSync(`${file}.new`, file);
  };
  set(offsetMs);
  const env = {
    LD_PRELOAD: await library(say),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
  return { env, set };
}

async function library(say: (line: string) => void): Promise<string> {
  const { root } = await fetchDebianPackages('faketime', ['libfaketime'], say);
  const folder = ['x86_64', 'aarch64'].map((machine) => join(root, `usr/lib/${machine}-linux-gnu/faketime`)).find(existsSync);
  const file = folder && join(folder, 'libfaketimeMT.so.1');
  if (!file || !existsSync(file)) throw new Error(`libfaketime is not in the fetched packages in ${root}; remove that folder to fetch them again.`);
  return file;
}
