import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { ready, startServer, type ServerProcess } from '../../src/launcher/server-process.js';
import { findServers } from '../../src/launcher/servers.js';
import { redisCommand } from '../../src/launcher/store-commands.js';

/** A Redis of one test file's own, that can be killed and started again on what it has written. */
export interface OwnRedis {
  address: string;
  /** kill -9, and a new start on the append-only file. */
  restart(): Promise<void>;
  /** A snapshot of now. */
  saveDump(): Promise<void>;
  /** kill -9, and a new start on the snapshot: what happened since is forgotten. */
  restartFromDump(): Promise<void>;
  stop(): Promise<void>;
}

export async function startOwnRedis(): Promise<OwnRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'frontrow-redis-'));
  const servers = await findServers({ database: false, redis: true }, () => undefined);
  const address = join(folder, 'redis.sock');
  const [dump, saved] = [join(folder, 'redis', 'dump.rdb'), join(folder, 'saved.rdb')];
  let server: ServerProcess;
  const start = async (aof: boolean): Promise<void> => {
    server = startServer('Redis', redisCommand(servers, folder, address, aof), join(folder, 'redis.log'), servers.env, { deathSignal: 'KILL' });
    await ready(server, address);
  };
  const kill = async (): Promise<void> => {
    const ended = once(server.child, 'exit');
    server.child.kill('SIGKILL');
    await ended;
  };
  await start(true);
  return {
    address,
    restart: async () => {
      await kill();
      await start(true);
    },
    saveDump: async () => {
      const redis = new Redis(address);
      await redis.save();
      redis.disconnect();
      copyFileSync(dump, saved);
    },
    restartFromDump: async () => {
      await kill();
      copyFileSync(saved, dump);
      await start(false);
    },
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
