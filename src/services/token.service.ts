import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { QueuePlace } from '../domain/queue.js';
import type { Role } from '../domain/states.js';
import { Recent } from '../domain/recent.js';
import type { Viewer } from '../domain/viewer.js';

/** Of JWT (RFC 7519) this is the part that is used here, done at once: through WebCrypto each signature costs ten times as much and a turn of the event loop. */
const ALGORITHM = 'HS256';
const HEADER = Buffer.from(JSON.stringify({ alg: ALGORITHM })).toString('base64url');
const SHAPE = /^([\w-]+)\.([\w-]+)\.([\w-]{43})$/;
/** The audience keeps one kind of token from passing as the other. */
const ACCESS = 'frontrow:access';
const QUEUE = 'frontrow:queue';
const REFRESH = 'frontrow:refresh';
/** Queue tokens whose signature was checked: each comes with every look at the seats, and with every try to reserve. */
export const QUEUE_TOKENS_REMEMBERED_MAX = 20_000;
const REFRESH_SHAPE = /^([0-9a-f-]{36})\.([1-9]\d{0,8})\.[\w-]{43}$/;

type Claims = Record<string, unknown>;

/** Signs and checks access, queue and refresh tokens. A token it returns a value for was signed here, is of that kind and has not ended. */
export class TokenService {
  readonly #key: KeyObject;
  readonly #refreshKey: Buffer;
  readonly #queueClaims = new Recent<string, Claims>(QUEUE_TOKENS_REMEMBERED_MAX);

  constructor(
    secret: string,
    private readonly accessTtlMs: number,
    private readonly queueTtlMs: number,
  ) {
    this.#key = createSecretKey(secret, 'utf8');
    this.#refreshKey = createHmac('sha256', secret).update(REFRESH).digest();
  }

  /** The same arguments give the same token. Whole seconds, as JWT has them. */
  signAccess(user: { id: string; role: Role }, sessionId: string, issuedAt: Date): { token: string; expiresAt: Date } {
    const issued = Math.floor(issuedAt.getTime() / 1000);
    const expires = issued + Math.ceil(this.accessTtlMs / 1000);
    const token = this.#sign({ sub: user.id, role: user.role, sid: sessionId, aud: ACCESS, iat: issued, exp: expires });
    return { token, expiresAt: new Date(expires * 1000) };
  }

  verifyAccess(token: string): Viewer | null {
    const claims = this.#verify(token, ACCESS);
    if (!claims || typeof claims['sub'] !== 'string' || claims['sub'] === '' || !claims['exp']) return null;
    return { userId: claims['sub'], role: claims['role'] as Role, sessionId: claims['sid'] as string, tokenExpiresAt: new Date((claims['exp'] as number) * 1000) };
  }

  signQueue(place: QueuePlace, issuedAt: Date): string {
    const issued = Math.floor(issuedAt.getTime() / 1000);
    return this.#sign({ sub: place.userId, concert: place.concertId, place: place.place, aud: QUEUE, iat: issued, exp: issued + Math.ceil(this.queueTtlMs / 1000) });
  }

  verifyQueue(token: string): QueuePlace | null {
    const known = this.#queueClaims.get(token);
    const claims = known ? (isInForce(known, QUEUE) ? known : null) : this.#verify(token, QUEUE);
    if (claims && !known) this.#queueClaims.set(token, claims);
    if (!claims || typeof claims['sub'] !== 'string' || claims['sub'] === '') return null;
    return { userId: claims['sub'], concertId: claims['concert'] as string, place: claims['place'] as number };
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

  #sign(claims: Claims & { aud: string; iat: number; exp: number }): string {
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `${HEADER}.${payload}.${createHmac('sha256', this.#key).update(`${HEADER}.${payload}`).digest('base64url')}`;
  }

  /** The signature first: nothing is read of what was not signed here. */
  #verify(token: string, audience: string): Claims | null {
    const [, header, payload, signature] = SHAPE.exec(token) ?? [];
    if (!header || !payload || !signature) return null;
    const mac = this.#macOf(`${header}.${payload}`);
    // Compared as bytes: the last letter of a signature has bits to spare, in which two texts may differ.
    const given = Buffer.from(signature, 'base64url');
    if (given.length !== mac.length || !timingSafeEqual(given, mac)) return null;
    if (header !== HEADER && !isPlainHeader(decoded(header))) return null;
    const claims = decoded(payload);
    return claims && isInForce(claims, audience) ? claims : null;
  }

  #macOf(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text).digest();
  }
}

/** Extensions that a header calls critical must be understood, and none is. */
const isPlainHeader = (header: Claims | null): boolean => header !== null && header['alg'] === ALGORITHM && !('crit' in header) && !('b64' in header);

function isInForce(claims: Claims, audience: string): boolean {
  const now = Math.floor(Date.now() / 1000);
  const { aud, exp, nbf, iat } = claims;
  const isForUs = aud === audience || (Array.isArray(aud) && aud.includes(audience));
  const isNumberOrMissing = (value: unknown): boolean => value === undefined || typeof value === 'number';
  if (!isForUs || ![exp, nbf, iat].every(isNumberOrMissing)) return false;
  return (exp === undefined || (exp as number) > now) && (nbf === undefined || (nbf as number) <= now);
}

function decoded(part: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}
