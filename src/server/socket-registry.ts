import type { Viewer } from '../domain/viewer.js';
import { SOCKETS_PER_USER_MAX } from './limits.js';

/** What the registry asks of a socket. */
export interface Closable {
  close(code: number, reason: string): void;
}

/** Close codes that we send; clients of graphql-ws try 1001, 1013 and 4403 again, 4403 with the token they have by then, and never the others. */
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_TRY_LATER = 1013;
export const CLOSE_BAD_REQUEST = 4400;
export const CLOSE_UNAUTHENTICATED = 4401;
export const CLOSE_FORBIDDEN = 4403;
export const CLOSE_TOO_MANY_SOCKETS = 4429;
export const CLOSE_SERVER_ERROR = 4500;

interface Entry {
  viewer: Viewer;
  expiry: NodeJS.Timeout;
}

/** Signed-in sockets of this process: at most so many for each user, none past the end of its access token or of its session. */
export class SocketRegistry<Socket extends Closable> {
  readonly #entries = new Map<Socket, Entry>();
  readonly #byUser = new Map<string, Set<Socket>>();
  readonly #bySession = new Map<string, Set<Socket>>();

  /**
   * The newest always has room: a phone that lost its network leaves sockets behind that look alive for a while, and its owner would be locked out
   * by them. The oldest goes for it, with a code that its client takes for final, so that two tabs do not push each other out for ever.
   */
  add(socket: Socket, viewer: Viewer): void {
    const [oldest, ...others] = this.#byUser.get(viewer.userId) ?? [];
    if (oldest && others.length + 1 >= SOCKETS_PER_USER_MAX) {
      this.remove(oldest);
      oldest.close(CLOSE_TOO_MANY_SOCKETS, 'Replaced by a newer connection');
    }
    const remainingMs = Math.max(0, viewer.tokenExpiresAt.getTime() - Date.now());
    const expiry = setTimeout(() => socket.close(CLOSE_FORBIDDEN, 'Access token expired'), remainingMs);
    expiry.unref();
    this.#entries.set(socket, { viewer, expiry });
    enter(this.#byUser, viewer.userId, socket);
    enter(this.#bySession, viewer.sessionId, socket);
  }

  remove(socket: Socket): void {
    const entry = this.#entries.get(socket);
    if (!entry) return;
    clearTimeout(entry.expiry);
    this.#entries.delete(socket);
    leave(this.#byUser, entry.viewer.userId, socket);
    leave(this.#bySession, entry.viewer.sessionId, socket);
  }

  /** As of now: what closes meanwhile may still come. */
  sockets(): Socket[] {
    return [...this.#entries.keys()];
  }

  closeSession(sessionId: string): void {
    for (const socket of this.#bySession.get(sessionId) ?? []) socket.close(CLOSE_FORBIDDEN, 'Signed out');
  }
}

function enter<Socket>(index: Map<string, Set<Socket>>, key: string, socket: Socket): void {
  const sockets = index.get(key) ?? new Set();
  index.set(key, sockets.add(socket));
}

function leave<Socket>(index: Map<string, Set<Socket>>, key: string, socket: Socket): void {
  const sockets = index.get(key);
  sockets?.delete(socket);
  if (sockets?.size === 0) index.delete(key);
}
