import type { Role } from './states.js';

/** Who calls, as the access token says. */
export interface Viewer {
  userId: string;
  role: Role;
  sessionId: string;
  tokenExpiresAt: Date;
}
