/** npm passes a Ctrl-C on that the terminal has already sent to us: what comes this soon is the same one. */
const SAME_SIGNAL_MS = 1000;
const PARENT_POLL_MS = 1000;
const EXIT_CODE_INTERRUPTED = 130;

/** Stops in order on Ctrl-C or SIGTERM, and when the npm that started us is killed; exits at once on a second signal. */
export function stopOnSignal(stop: () => Promise<void>, say: (line: string) => void, startedByNpm: boolean): void {
  let stoppingSince: number | undefined;
  const onSignal = (): void => {
    if (stoppingSince !== undefined) {
      // Asked for a second time: what is not finished by now is not waited for.
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(EXIT_CODE_INTERRUPTED);
      return;
    }
    stoppingSince = performance.now();
    say('Stopping: what runs is finished first. Again to stop at once.');
    const stopped = stop().then(
      () => 0,
      (error: unknown) => {
        console.error(error);
        return 1;
      },
    );
    // An exit code alone would not do: what a library still holds open, or what could not be closed, may not keep the process from its end.
    void stopped.then((code) => process.exit(code));
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  if (startedByNpm) whenParentEnds(onSignal);
}

/** `kill -9` of npm reaches nobody else: without this what it started would go on unseen. */
export function whenParentEnds(then: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, PARENT_POLL_MS);
  timer.unref();
}
