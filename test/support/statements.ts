import { jest } from '@jest/globals';
import type { Frontrow } from './frontrow.js';

/** What all instances sent to the database while `work` ran. */
export async function statementsOf(frontrow: Frontrow, work: () => Promise<unknown>): Promise<string[]> {
  const logs = frontrow.instances.map(({ app }) => jest.spyOn(app.orm.config.getLogger(), 'logQuery'));
  try {
    await work();
    return logs.flatMap((log) => log.mock.calls.map(([{ query }]) => String(query)));
  } finally {
    for (const log of logs) log.mockRestore();
  }
}
