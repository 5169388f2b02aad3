/** A quarter more or less, so that what was read at one moment does not come due at one moment. */
export const jittered = (ms: number, random = Math.random()): number => ms * (0.75 + random / 2);
