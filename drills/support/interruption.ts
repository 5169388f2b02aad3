/** Aborted by the first Ctrl-C or SIGTERM, so that everything is closed in order; the second one ends the process at once. */
export function listenForCtrlC(): AbortSignal {
  const interruption = new AbortController();
  const stop = (): void => {
    if (interruption.signal.aborted) process.exit(130);
    console.log('Closing everything; once more to end at once.');
    interruption.abort(new Error('interrupted'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return interruption.signal;
}
