import type { Migration } from '@mikro-orm/migrations';

/**
 * A migration that was cut short is carried out to its end by the next start. The database commits each statement that changes a table by itself, whole or
 * not at all, and only after the last of them is the migration noted as applied.
 */

/** A table, a column, an index, a foreign key of MySQL's that is there already; an index that is gone already. */
const DONE_BEFORE = [1050, 1060, 1061, 1826, 1091];
/** How MariaDB says the last of these. */
const FOREIGN_KEY_THERE = /\(errno: 121 /;

type MigrationClass = new (...args: ConstructorParameters<typeof Migration>) => Migration;

export function resumable(Whole: MigrationClass): MigrationClass {
  return class extends Whole {
    override async up(): Promise<void> {
      await Whole.prototype.up.call(this);
      for (const statement of this.getQueries().splice(0)) await this.execute(statement).catch(ignoreDoneBefore);
    }
  };
}

function ignoreDoneBefore(error: Error & { errno?: number }): void {
  if (!DONE_BEFORE.includes(error.errno ?? 0) && !FOREIGN_KEY_THERE.test(error.message)) throw error;
}
