import { createHmac, timingSafeEqual, webcrypto } from 'node:crypto';
import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import type { QueuePlace } from '../domain/queue.js';
import type { Role } from '../domain/states.js';
import type { Viewer } from '../domain/viewer.js';

const ALGORITHM = 'HS256';
/** The audience keeps one kind of token from passing as the other. */
const ACCESS = 'frontrow:access';
const QUEUE = 'frontrow:queue';
const REFRESH = 'frontrow:refresh';
const REFRESH_SHAPE = /^([0-9a-f-]{36})\.([1-9]\d{0,8})\.[\w-]{43}$/;

/** Signs and checks access, queue and refresh tokens. A token it returns a value for was signed here, is of that kind and has not ended. */
export class TokenService {
  /** Imported once: importing it for every token costs five times the check itself. */
  readonly #key: Promise<webcrypto.CryptoKey>;
  readonly #refreshKey: Buffer;

  constructor(
    secret: string,
    private readonly accessTtlMs: number,
    private readonly queueTtlMs: number,
  ) {
    this.#key = webcrypto.subtle.importKey('raw', new TextEncoder().encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
    this.#refreshKey = createHmac('sha256', secret).update(REFRESH).digest();
  }

  /** The same arguments give the same token. Whole seconds, as JWT has them. */
  async signAccess(user: { id: string; role: Role }, sessionId: string, issuedAt: Date): Promise<{ token: string; expiresAt: Date }> {
    const issued = Math.floor(issuedAt.getTime() / 1000);
    const expires = issued + Math.ceil(this.accessTtlMs / 1000);
    const token = await this.#sign({ sub: user.id, role: user.role, sid: sessionId }, ACCESS, issued, expires);
    return { token, expiresAt: new Date(expires * 1000) };
  }

  async verifyAccess(token: string): Promise<Viewer | null> {
    const claims = await this.#verify(token, ACCESS);
    if (!claims?.sub || !claims.exp) return null;
    return { userId: claims.sub, role: claims['role'] as Role, sessionId: claims['sid'] as string, tokenExpiresAt: new Date(claims.exp * 1000) };
  }

  signQueue(place: QueuePlace, issuedAt: Date): Promise<string> {
    const issued = Math.floor(issuedAt.getTime() / 1000);
    return this.#sign({ sub: place.userId, concert: place.concertId, place: place.place }, QUEUE, issued, issued + Math.ceil(this.queueTtlMs / 1000));
  }

  async verifyQueue(token: string): Promise<QueuePlace | null> {
    const claims = await this.#verify(token, QUEUE);
    if (!claims?.sub) return null;
    return { userId: claims.sub, concertId: claims['concert'] as string, place: claims['place'] as number };
  }

  /** `session.generation.mac`: proves itself, so nothing has to be stored that a thief of the database could use. */
  signRefresh(sessionId: string, generation: number): string {
    const claim = `${sessionId}.${generation}`;
    return `${claim}.${createHmac('sha256', this.#refreshKey).update(claim).digest('base64url')}`;
  }

  verifyRefresh(token: string): { sessionId: string; generation: number } | null {
    const [, sessionId, digits] = REFRESH_SHAPE.exec(token) ?? [];
    if (!sessionId || !digits) return null;
    const generation = Number(digits);
    return timingSafeEqual(Buffer.from(this.signRefresh(sessionId, generation)), Buffer.from(token)) ? { sessionId, generation } : null;
  }

  async #sign(claims: JWTPayload, audience: string, issued: number, expires: number): Promise<string> {
    return new SignJWT(claims).setProtectedHeader({ alg: ALGORITHM }).setAudience(audience).setIssuedAt(issued).setExpirationTime(expires).sign(await this.#key);
  }

  async #verify(token: string, audience: string): Promise<JWTPayload | null> {
    try {
      return (await jwtVerify(token, await this.#key, { algorithms: [ALGORITHM], audience })).payload;
    } catch {
      return null;
    }
  }
}
