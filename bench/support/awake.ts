/**
 * Keeps this process from sleeping while it waits for answers, until it is told to rest. A server that is slower than the load would pay, with each answer, for waking
 * the load's core, which on a virtual machine costs up to a quarter of the answer; one that keeps the load busy would not.
 */
export function stayAwake(): () => void {
  let isAwake = true;
  const turn = (): void => {
    if (isAwake) setImmediate(turn);
  };
  turn();
  return () => (isAwake = false);
}
