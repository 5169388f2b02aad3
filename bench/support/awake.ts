/**
 * Looks for answers without ever sleeping until it is told to stop. Otherwise a server that is slower than the load pays, with each answer, for waking the load's
 * core, which on a virtual machine costs as much as half the answer; one that keeps the load busy pays nothing.
 */
export function stayAwake(): () => void {
  let isAwake = true;
  const turn = (): void => {
    if (isAwake) setImmediate(turn);
  };
  turn();
  return () => (isAwake = false);
}
