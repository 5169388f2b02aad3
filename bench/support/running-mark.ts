import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Tells scripts/build.mjs that a bench runs, and starts again and again what was built. */
const FILE = join(process.cwd(), 'node_modules/.cache/frontrow-bench.pid');

export class RunningMark {
  #isSet = false;

  set(): void {
    if (this.#isSet) return;
    mkdirSync(dirname(FILE), { recursive: true });
    writeFileSync(FILE, String(process.pid));
    this.#isSet = true;
  }

  clear(): void {
    if (this.#isSet && existsSync(FILE) && readFileSync(FILE, 'utf8') === String(process.pid)) rmSync(FILE, { force: true });
  }
}
