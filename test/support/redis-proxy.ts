import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';

/** A way to the run's Redis, or to its database, that one test can cut or silence without touching the others. */
export interface RedisProxy {
  /** Of the same socket as `address`, and of the same logical Redis. */
  address: string;
  /** Takes connections and commands and answers none of them, until `cut`. */
  silence(): void;
  /** New connections are answered again; those that were silenced stay so for ever. */
  speak(): void;
  /** Drops all connections and takes no new ones until `restore`. */
  cut(): Promise<void>;
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function redisProxy(address: string): Promise<RedisProxy> {
  const [realPath, query = ''] = address.split('?');
  const path = join(tmpdir(), `frontrow-proxy-${randomBytes(6).toString('hex')}.sock`);
  const pairs = new Map<Socket, Socket>();
  let silent = false;
  const server = createServer((client) => {
    const upstream = connect(realPath!);
    pairs.set(client, upstream);
    client.pipe(upstream);
    if (!silent) upstream.pipe(client);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      pairs.delete(client);
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
  });
  const restore = async (): Promise<void> => {
    server.listen(path);
    await once(server, 'listening');
  };
  const cut = async (): Promise<void> => {
    silent = false;
    const closed = once(server, 'close');
    server.close();
    for (const client of pairs.keys()) client.destroy();
    await closed;
    rmSync(path, { force: true });
  };
  await restore();
  return {
    address: query ? `${path}?${query}` : path,
    silence: () => {
      silent = true;
      for (const [client, upstream] of pairs) upstream.unpipe(client);
    },
    speak: () => (silent = false),
    cut,
    restore,
    close: async () => {
      if (server.listening) await cut();
    },
  };
}
