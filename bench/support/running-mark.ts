import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Tells scripts/build.mjs that a bench runs, and starts again and again what was built. */
const FILE = join(process.cwd(), 'node_modules/.cache/frontrow-bench.pid');

export function markRunning(): void {
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, String(process.pid));
}

/** The mark of another bench that was started since stays. */
export function unmarkRunning(): void {
  if (existsSync(FILE) && readFileSync(FILE, 'utf8') === String(process.pid)) rmSync(FILE);
}
