import { Migration } from '@mikro-orm/migrations';

/** Each admission notes the epoch in which it was made. Adds a nullable column: the version before runs beside it and leaves it null, which says nothing. */
export class AdmittedEpoch extends Migration {
  override up(): void {
    this.addSql(`alter table queue_pass add admitted_epoch int null`);
  }

  override down(): void {
    this.addSql('alter table queue_pass drop column admitted_epoch');
  }
}
