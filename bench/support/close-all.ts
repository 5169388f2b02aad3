/** The last one first. Each is closed whatever became of the others; then the first failure is told. */
export async function closeAll(closing: (() => Promise<unknown> | void)[]): Promise<void> {
  const failures: unknown[] = [];
  while (closing.length > 0) {
    try {
      await closing.pop()!();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
