/** A family of refresh tokens: only the token of the newest generation is good. */
export interface SessionFamily {
  generation: number;
  rotatedAt: Date;
  expiresAt: Date;
  revokedAt?: Date | null;
}

/** A client whose answer was lost, or whose two windows refresh at once, may send the same token again this long. */
export const REFRESH_REPEAT_MS = 10_000;

/**
 * What a refresh token of a generation is good for: a new one; the new one it was already exchanged for; nothing, and the whole family
 * with it, because two hold what one should; nothing.
 */
export type RefreshVerdict = 'rotate' | 'repeat' | 'reused' | 'dead';

export const isAlive = (family: SessionFamily, now: Date): boolean => !family.revokedAt && family.expiresAt.getTime() > now.getTime();

export function refreshVerdict(family: SessionFamily, generation: number, now: Date): RefreshVerdict {
  if (!isAlive(family, now)) return 'dead';
  if (generation === family.generation) return 'rotate';
  const sinceRotationMs = now.getTime() - family.rotatedAt.getTime();
  return generation === family.generation - 1 && sinceRotationMs <= REFRESH_REPEAT_MS ? 'repeat' : 'reused';
}
