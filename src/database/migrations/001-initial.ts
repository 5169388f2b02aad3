import { Migration } from '@mikro-orm/migrations';

/** The whole schema as the first release had it. */
export class Initial extends Migration {
  override up(): void {
    for (const statement of STATEMENTS) this.addSql(statement);
  }

  override down(): void {
    throw new Error('There is nothing before the first migration; drop the database instead.');
  }
}

const STATEMENTS = [
    `create table charge (
      id varchar(36) not null,
      user_id varchar(36) not null,
      idempotency_key varchar(256) not null,
      amount bigint not null,
      balance bigint not null,
      charged_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table charge add unique charge_idempotency_unique (user_id, idempotency_key)`,
    `create table ledger_entry (
      id bigint unsigned not null auto_increment primary key,
      user_id varchar(36) not null,
      kind varchar(10) not null,
      amount bigint not null,
      balance_after bigint not null,
      source_id varchar(36) not null,
      created_at datetime(3) not null
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table ledger_entry add index ledger_entry_user_index (user_id, id)`,
    `alter table ledger_entry add unique ledger_entry_source_unique (source_id, kind)`,
    `create table payment (
      id varchar(36) not null,
      reservation_id varchar(36) not null,
      user_id varchar(36) not null,
      status varchar(8) not null,
      amount bigint not null,
      balance bigint not null,
      paid_at datetime(3) not null,
      refunded_at datetime(3) null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table payment add unique payment_reservation_unique (reservation_id)`,
    `alter table payment add index payment_user_index (user_id, id)`,
    `create table queue_pass (
      concert_id varchar(36) not null,
      user_id varchar(36) not null,
      place bigint unsigned not null,
      admitted_at datetime(3) null,
      expires_at datetime(3) not null,
      ended_at datetime(3) null,
      ended_by varchar(4) null,
      primary key (concert_id,
      user_id,
      place)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table queue_pass add index queue_pass_open_index (ended_at, expires_at)`,
    `create table reservation (
      id varchar(36) not null,
      user_id varchar(36) not null,
      concert_id varchar(36) not null,
      schedule_id varchar(36) not null,
      status varchar(9) not null,
      seat_count int not null,
      total_price bigint not null,
      expires_at datetime(3) not null,
      created_at datetime(3) not null,
      updated_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table reservation add index reservation_user_index (user_id, id)`,
    `alter table reservation add index reservation_quota_index (user_id, concert_id, status)`,
    `alter table reservation add index reservation_expiry_index (status, expires_at)`,
    `create table reservation_quota (
      user_id varchar(36) not null,
      concert_id varchar(36) not null,
      primary key (user_id,
      concert_id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `create table reservation_seat (
      reservation_id varchar(36) not null,
      number int unsigned not null,
      seat_id varchar(36) not null,
      live_seat_id varchar(36) null,
      grade varchar(20) not null,
      price bigint not null,
      primary key (reservation_id,
      number)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table reservation_seat add unique reservation_seat_live_unique (live_seat_id)`,
    `create table session (
      id varchar(36) not null,
      user_id varchar(36) not null,
      generation int not null,
      rotated_at datetime(3) not null,
      expires_at datetime(3) not null,
      revoked_at datetime(3) null,
      created_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table session add index session_expiry_index (expires_at)`,
    `create table user (
      id varchar(36) not null,
      email varchar(254) not null,
      name varchar(100) not null,
      password_hash varchar(255) not null,
      role varchar(5) not null,
      created_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table user add unique user_email_unique (email)`,
    `create table venue (
      id varchar(36) not null,
      name varchar(200) not null,
      address varchar(300) null,
      time_zone varchar(64) not null,
      sections json not null,
      created_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `create table concert (
      id varchar(36) not null,
      venue_id varchar(36) not null,
      title varchar(200) not null,
      artist varchar(200) not null,
      sale_opens_at datetime(3) not null,
      sale_closes_at datetime(3) null,
      queue_admit_count int null,
      queue_admit_interval_ms int null,
      queue_active_max int null,
      next_queue_epoch int not null default 0,
      created_at datetime(3) not null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table concert add index concert_venue_id_index (venue_id)`,
    `create table schedule (
      id varchar(36) not null,
      concert_id varchar(36) not null,
      starts_at datetime(3) not null,
      total_seats int not null,
      created_at datetime(3) not null,
      deleted_at datetime(3) null,
      primary key (id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table schedule add index schedule_concert_index (concert_id, starts_at)`,
    `create table seat (
      schedule_id varchar(36) not null,
      number int unsigned not null,
      id varchar(36) not null,
      section varchar(50) not null,
      row_name varchar(20) not null,
      grade varchar(20) not null,
      price bigint not null,
      status varchar(9) not null,
      reservation_id varchar(36) null,
      held_until datetime(3) null,
      primary key (schedule_id,
      number)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table seat add unique seat_id_unique (id)`,
    `alter table seat add index seat_status_index (schedule_id, status, held_until)`,
    `alter table seat add index seat_section_index (schedule_id, section, number)`,
    `create table concert_price (
      concert_id varchar(36) not null,
      grade varchar(20) not null,
      amount bigint not null,
      primary key (concert_id,
      grade)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `create table wallet (
      user_id varchar(36) not null,
      balance bigint not null,
      version int not null default 1,
      primary key (user_id)
    ) default character set utf8mb4 collate utf8mb4_bin engine = InnoDB`,
    `alter table concert add constraint concert_venue_id_foreign foreign key (venue_id) references venue (id)`,
    `alter table schedule add constraint schedule_concert_id_foreign foreign key (concert_id) references concert (id)`,
    `alter table seat add constraint seat_schedule_id_foreign foreign key (schedule_id) references schedule (id)`,
    `alter table concert_price add constraint concert_price_concert_id_foreign foreign key (concert_id) references concert (id)`,
];
