import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { fetchDebianPackages, findProgram } from '../../src/launcher/debian-packages.js';

const PACKAGES = ['chromium', 'fonts-dejavu-core', 'fonts-noto-cjk'];
/** No sandbox: it needs root or user namespaces, which a bare machine may not allow, and the only page opened is our own. Nothing may ask the outside for anything. */
const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-dev-shm-usage', '--disable-domain-reliability', '--disable-features=OptimizationHints,MediaRouter',
];

/** A Chromium of the machine, else fetched as the start command fetches its servers. `profile` takes all it writes. */
export async function launchChromium(profile: string): Promise<Browser> {
  mkdirSync(profile, { recursive: true });
  const { executablePath, env } = await findChromium(profile, (line) => process.stderr.write(`${line}\n`));
  const own = { HOME: profile, XDG_CONFIG_HOME: join(profile, 'config'), XDG_CACHE_HOME: join(profile, 'cache') };
  return chromium.launch({ executablePath, args: ARGUMENTS, env: { ...(process.env as Record<string, string>), ...own, ...env } });
}

async function findChromium(profile: string, say: (line: string) => void): Promise<{ executablePath: string; env: Record<string, string> }> {
  const onMachine = findProgram(['chromium', 'chromium-browser', 'google-chrome']);
  if (onMachine) return { executablePath: onMachine, env: {} };
  const { root, env } = await fetchDebianPackages('chromium', PACKAGES, say);
  const libraries = env['LD_LIBRARY_PATH']!.split(':').flatMap((folder) => [folder, join(folder, 'pulseaudio')]);
  return {
    // Not usr/bin/chromium: that script looks for its settings in the system's folders.
    executablePath: join(root, 'usr/lib/chromium/chromium'),
    env: { LD_LIBRARY_PATH: libraries.join(':'), FONTCONFIG_FILE: fontSettings(root, profile) },
  };
}

/** The fetched fonts are where no system setting looks for them. */
function fontSettings(root: string, profile: string): string {
  const file = join(profile, 'fonts.conf');
  const folders = [join(root, 'usr/share/fonts'), '/usr/share/fonts'].map((folder) => `<dir>${folder}</dir>`);
  writeFileSync(file, `<?xml version="1.0"?><fontconfig>${folders.join('')}<cachedir>${join(profile, 'fonts')}</cachedir></fontconfig>`);
  return file;
}
