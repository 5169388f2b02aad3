import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Servers } from './servers.js';

/** How a MariaDB and a Redis of our own are started: on a unix socket alone, with nothing acknowledged that a crash of theirs could lose. */

const asRoot = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

export const createDatabaseCommand = (servers: Servers, folder: string): string[] => [
  servers.installDb, '--no-defaults', `--basedir=${servers.databaseBase}`, `--datadir=${folder}`, '--auth-root-authentication-method=normal',
  '--skip-test-db', '--skip-name-resolve', ...asRoot(),
];

export const mariaDbCommand = (servers: Servers, data: string, socket: string): string[] => [
  servers.mariadbd, '--no-defaults', `--basedir=${servers.databaseBase}`, `--datadir=${join(data, 'mariadb')}`, `--socket=${socket}`, `--pid-file=${socket}.pid`,
  '--skip-networking', '--skip-name-resolve', '--character-set-server=utf8mb4', '--collation-server=utf8mb4_bin', '--default-time-zone=+00:00',
  '--innodb-flush-log-at-trx-commit=1', '--innodb-buffer-pool-size=256M', '--max-connections=500', ...asRoot(),
];

export function redisCommand(servers: Servers, data: string, socket: string, aof = true): string[] {
  mkdirSync(join(data, 'redis'), { recursive: true });
  return [
    servers.redisServer, '--port', '0', '--unixsocket', socket, '--unixsocketperm', '700', '--dir', join(data, 'redis'),
    '--maxmemory-policy', 'noeviction', '--appendonly', aof ? 'yes' : 'no', '--appendfsync', 'everysec',
    // The AOF has it all; a snapshot that cannot be written, on a full disk say, would keep Redis from ending.
    '--save', '',
  ];
}
