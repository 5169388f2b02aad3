import { Migration } from '@mikro-orm/migrations';

/** Cancelled dates. Adds a nullable column, indexes and a table: the version before runs beside it, and what it still sells of a cancelled date is found and refunded. */
export class Cancellation extends Migration {
  override up(): void {
    for (const statement of STATEMENTS) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop table cancellation_failure');
    this.addSql('alter table reservation drop index reservation_schedule_index');
    this.addSql('alter table schedule drop index schedule_cancelled_index, drop column cancelled_at');
  }
}

const STATEMENTS = [
    `alter table schedule add column cancelled_at datetime(3) null`,
    `alter table schedule add index schedule_cancelled_index (cancelled_at)`,
    `alter table reservation add index reservation_schedule_index (schedule_id, status)`,
    `create table cancellation_failure (
      reservation_id varchar(36) not null,
      error varchar(200) not null,
      attempts int not null,
      failed_at datetime(3) not null,
      retry_at datetime(3) not null,
      primary key (reservation_id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
];
