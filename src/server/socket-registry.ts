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

/** Signed-in sockets of this process: at most so many for each user, none past the end of its access token or of its session. */
export class SocketRegistry<Socket extends Closable> {
  readonly #viewers = new Map<Socket, Viewer>();
  readonly #byUser = new Map<string, Socket[]>();
  readonly #bySession = new Map<string, Socket[]>();

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
    this.#viewers.set(socket, viewer);
    enter(this.#byUser, viewer.userId, socket);
    enter(this.#bySession, viewer.sessionId, socket);
  }

  remove(socket: Socket): void {
    const viewer = this.#viewers.get(socket);
    if (!viewer) return;
    this.#viewers.delete(socket);
    leave(this.#byUser, viewer.userId, socket);
    leave(this.#bySession, viewer.sessionId, socket);
  }

  /** As of now: what closes meanwhile may still come. */
  sockets(): Socket[] {
    return [...this.#viewers.keys()];
  }

  /** Looked for in one go: a timer for each would cost more than all the looking. */
  closeExpired(): void {
    const now = Date.now();
    for (const [socket, { tokenExpiresAt }] of this.#viewers) if (tokenExpiresAt.getTime() <= now) socket.close(CLOSE_FORBIDDEN, 'Access token expired');
  }

  closeSession(sessionId: string): void {
    for (const socket of this.#bySession.get(sessionId) ?? []) socket.close(CLOSE_FORBIDDEN, 'Signed out');
  }
}

function enter<Socket>(index: Map<string, Socket[]>, key: string, socket: Socket): void {
  index.set(key, [...(index.get(key) ?? []), socket]);
}

function leave<Socket>(index: Map<string, Socket[]>, key: string, socket: Socket): void {
  const others = (index.get(key) ?? []).filter((other) => other !== socket);
  if (others.length > 0) index.set(key, others);
  else index.delete(key);
}
