import { Migration } from '@mikro-orm/migrations';

/** What a queue needs to come back after Redis was lost. Only adds and widens: the version before runs beside it. */
export class QueueLine extends Migration {
  override up(): void {
    for (const statement of STATEMENTS) this.addSql(statement);
  }

  override down(): void {
    this.addSql('drop table queue_line');
    this.addSql('alter table queue_pass drop index queue_pass_concert_index');
    this.addSql("delete from queue_pass where ended_by = 'ABSENT'");
    this.addSql('alter table queue_pass modify ended_by varchar(4) null');
  }
}

const STATEMENTS = [
    `create table queue_line (
      concert_id varchar(36) not null,
      beat bigint not null,
      looked_after tinyint(1) not null,
      primary key (concert_id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table queue_line add index queue_line_looked_after_index (looked_after)`,
    `alter table queue_pass modify ended_by varchar(6) null`,
    `alter table queue_pass add index queue_pass_concert_index (concert_id, ended_at)`,
];
