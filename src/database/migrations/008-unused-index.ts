import { Migration } from '@mikro-orm/migrations';

/** Seats are read a date at a time: no statement asks for those of a section any more. The version before finds them without the index too, among those of their date. */
export class UnusedIndex extends Migration {
  override up(): void {
    this.addSql('alter table seat drop index seat_section_index');
  }

  override down(): void {
    this.addSql('alter table seat add index seat_section_index (schedule_id, section, number)');
  }
}
