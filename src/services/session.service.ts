import type { Redis } from 'ioredis';
import type { Config } from '../config.js';
import type { User } from '../database/entities/user.entity.js';
import type { Transactions } from '../database/transaction.js';
import type { Viewer } from '../domain/viewer.js';
import type { PubSub } from '../redis/pubsub.js';
import type { TokenService } from './token.service.js';

export interface IssuedSession {
  accessToken: string;
  accessTokenExpiresAt: Date;
  refreshToken: string;
  user: User;
}

export class SessionService {
  constructor(
    readonly transactions: Transactions,
    readonly redis: Redis,
    readonly pubsub: PubSub,
    readonly tokens: TokenService,
    readonly config: Config,
  ) {}

  /** Starts a family of refresh tokens for a user who has proven who they are. */
  start(_user: User): Promise<IssuedSession> {
    throw new Error('stub');
  }
  refresh(_refreshToken: string): Promise<IssuedSession> {
    throw new Error('stub');
  }
  signOut(_viewer: Viewer): Promise<boolean> {
    throw new Error('stub');
  }
  /** The viewer of an access token, or null when it is forged, expired or revoked. */
  async authenticate(accessToken: string): Promise<Viewer | null> {
    return this.tokens.verifyAccess(accessToken);
  }
  /** Calls the listener with the id of every session that is revoked, on whatever instance. */
  onRevoked(_listener: (sessionId: string) => void): Promise<() => void> {
    throw new Error('stub');
  }
}
