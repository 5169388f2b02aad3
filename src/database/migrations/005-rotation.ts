import { Migration } from '@mikro-orm/migrations';

/** A webhook's secret can be changed while its old one still signs; each admission notes how many were active, and may be. Only adds what the version before does not ask for. */
export class Rotation extends Migration {
  override up(): void {
    for (const statement of STATEMENTS) this.addSql(statement);
  }

  override down(): void {
    this.addSql('alter table queue_pass drop column active_count, drop column active_max');
    this.addSql('alter table webhook_delivery drop index webhook_delivery_state_index, drop index webhook_delivery_late_index');
    this.addSql('alter table webhook drop column old_secret, drop column old_secret_until');
  }
}

const STATEMENTS = [
    `alter table queue_pass add active_count int null, add active_max int null`,
    `alter table webhook add old_secret varchar(64) null, add old_secret_until datetime(3) null`,
    `alter table webhook_delivery add index webhook_delivery_state_index (state, id), add index webhook_delivery_late_index (webhook_id, state, next_at)`,
];
