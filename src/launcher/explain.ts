import { ConfigError, type Config } from '../config.js';
import { LauncherError } from './launcher-error.js';

const UNREACHABLE = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAI_AGAIN', 'ER_ACCESS_DENIED_ERROR'];

/** Why a start failed, for the operator: one clear line where they can put it right, the whole error where it is a fault of ours. */
export function explain(error: unknown, config: Config | undefined): unknown {
  if (error instanceof ConfigError || error instanceof LauncherError) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EADDRINUSE') return `Port ${config?.port} is in use by another program. Stop that, or set PORT to another port (0 takes a free one).`;
  if (code === 'EACCES' && config && config.port < 1024 && config.port > 0) return `Port ${config.port} needs root. Set PORT to 1024 or more.`;
  if (UNREACHABLE.includes(code)) return `The database or Redis cannot be reached: ${(error as Error).message || code}. Check DATABASE_URL and REDIS_URL.`;
  return error;
}
