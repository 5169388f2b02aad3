import { Migration } from '@mikro-orm/migrations';

/** Each change of a seat's status has a number, so that word of an older one is known for late. The version before runs beside it and raises nothing: readers find its changes when they load. */
export class SeatVersion extends Migration {
  override up(): void {
    this.addSql('alter table seat add version int unsigned not null default 0');
  }

  override down(): void {
    this.addSql('alter table seat drop column version');
  }
}
