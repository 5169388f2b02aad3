import type { IncomingMessage } from 'node:http';
import type { Config } from '../config.js';

const LOCAL_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether pages of this origin may use the API from a browser: those of the list, and while developing those of this machine. */
export function isListedOrigin(origin: string, config: Pick<Config, 'corsOrigins' | 'production'>): boolean {
  if (config.corsOrigins.includes(origin)) return true;
  return !config.production && URL.canParse(origin) && LOCAL_HOSTS.has(new URL(origin).hostname);
}

/**
 * Browsers let any page open a websocket anywhere and only tell where the page came from, so it is checked here: listed, or served by this very host.
 * What sends no Origin is no browser and carries nobody's session by itself.
 */
export function mayOpenSocket(request: IncomingMessage, config: Pick<Config, 'corsOrigins' | 'production'>): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || isListedOrigin(origin, config)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
