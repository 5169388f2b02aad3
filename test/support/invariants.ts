import { checkInvariants, reportOf, type WhatToCheck } from '../../src/database/check-invariants.js';
import type { InvariantName } from '../../src/database/invariants.js';
import { connectDatabase, type DatabaseAddress } from '../../src/database/orm.config.js';

/** For a file that leaves rows behind which no sale would: which invariants they break, or `all`, and what writes them. */
export interface BrokenOnPurpose {
  invariants: 'all' | InvariantName[];
  because: string;
}

/** Throws with the rows that break an invariant. */
export async function assertInvariants(database: DatabaseAddress, settings: Omit<WhatToCheck, 'settled'>, broken?: BrokenOnPurpose): Promise<void> {
  if (broken?.invariants === 'all') return;
  const orm = await connectDatabase(database, { poolMax: 1 });
  try {
    const findings = await checkInvariants(orm, { ...settings, settled: false });
    const violated = findings.filter(({ name, count }) => count > 0 && !broken?.invariants.includes(name as InvariantName));
    if (violated.length > 0) throw new Error(`What must always be true is not, after the tests of this file:\n${reportOf(violated).join('\n')}`);
  } finally {
    await orm.close();
  }
}
