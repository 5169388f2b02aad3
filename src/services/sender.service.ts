import { networkOf } from '../domain/address.js';
import { Recent } from '../domain/recent.js';
import type { Viewer } from '../domain/viewer.js';
import type { SenderDesk } from '../redis/sender-desk.js';
import type { SessionService } from './session.service.js';

/** Who says what of themselves. */
export interface SenderClaims {
  accessToken: string | null;
  address: string;
}

const NETWORKS_KNOWN_MAX = 10_000;

/** Lets operations in: each is counted once by its address and once by its user, and its sender is who the token says, if the session is good. */
export class SenderService {
  readonly #networks = new Recent<string, string>(NETWORKS_KNOWN_MAX);

  constructor(
    private readonly sessions: SessionService,
    private readonly desk: SenderDesk,
  ) {}

  /** Redis is asked, and where it knows nothing the database. Null for who is not signed in. */
  async admit({ accessToken, address }: SenderClaims): Promise<Viewer | null> {
    const network = this.#networkOf(address);
    const viewer = accessToken === null ? null : this.sessions.viewerOf(accessToken);
    if (!viewer) {
      await this.desk.ask({ network, userId: null, sessionId: null });
      return null;
    }
    const sender = { network, userId: viewer.userId, sessionId: viewer.sessionId };
    if (this.sessions.isRevokedHere(viewer.sessionId)) {
      await this.desk.ask({ network, userId: null, sessionId: null });
      return null;
    }
    const remember = this.sessions.asking(viewer.sessionId);
    const known = await this.desk.ask(sender);
    if ((known ?? (await this.sessions.stateInDatabase(viewer))) !== 'active') return null;
    remember();
    if (known === null) await this.desk.countUser(sender);
    return viewer;
  }

  /** The same of what this process has learned within the last second, at once; undefined where it has to ask. Only for reads of what everybody sees alike. */
  admitRemembered({ accessToken, address }: SenderClaims): Viewer | null | undefined {
    const viewer = accessToken === null ? null : this.sessions.viewerOf(accessToken);
    if (viewer && !this.sessions.isKnownGood(viewer.sessionId)) return undefined;
    return this.desk.useGranted(this.#networkOf(address), viewer?.userId ?? null) ? viewer : undefined;
  }

  #networkOf(address: string): string {
    let network = this.#networks.get(address);
    if (network === undefined) this.#networks.set(address, (network = networkOf(address)));
    return network;
  }
}
