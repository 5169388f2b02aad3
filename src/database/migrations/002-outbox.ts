import { Migration } from '@mikro-orm/migrations';

/** Events for other systems, and webhooks. Only adds tables: the version before runs beside it, and writes no events. */
export class Outbox extends Migration {
  override up(): void {
    for (const statement of STATEMENTS) this.addSql(statement);
  }

  override down(): void {
    for (const table of ['webhook_delivery', 'webhook', 'outbox_event']) this.addSql(`drop table ${table}`);
  }
}

const STATEMENTS = [
    `create table outbox_event (
      id bigint unsigned not null auto_increment primary key,
      event_id varchar(36) not null,
      type varchar(30) not null,
      user_id varchar(36) not null,
      concert_id varchar(36) null,
      reservation_id varchar(36) null,
      payload text not null,
      occurred_at datetime(3) not null,
      published_at datetime(3) null
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table outbox_event add index outbox_event_published_index (published_at, id)`,
    `create table webhook (
      id varchar(36) not null,
      url varchar(500) not null,
      secret varchar(64) not null,
      events json not null,
      enabled tinyint(1) not null,
      created_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `create table webhook_delivery (
      id varchar(36) not null,
      webhook_id varchar(36) not null,
      event_id varchar(36) not null,
      event_type varchar(30) not null,
      order_key varchar(80) not null,
      sequence bigint not null,
      body text not null,
      state varchar(9) not null,
      attempts int not null,
      next_at datetime(3) not null,
      last_status int null,
      last_error varchar(200) null,
      created_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table webhook_delivery add unique webhook_delivery_event_unique (webhook_id, event_id)`,
    `alter table webhook_delivery add index webhook_delivery_order_index (webhook_id, order_key, state, sequence)`,
    `alter table webhook_delivery add index webhook_delivery_due_index (state, next_at)`,
];
