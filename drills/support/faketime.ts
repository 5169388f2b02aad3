/** A wall clock of its own for a process: the environment for its start, and the way to move it while it runs. */
export interface FakeClock {
  /** LD_PRELOAD and settings of libfaketime; timers (the monotonic clock) are left alone. */
  env: Record<string, string>;
  /** From now on the process's wall clock is so far ahead of (below 0: behind) the machine's. Takes effect within a moment. */
  set(offsetMs: number): void;
}
