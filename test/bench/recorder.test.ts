import { withoutIndexes } from '../../bench/data/recorder.js';

/** A statement as it would be without an index: only the hint is another. */

test.each([
  ['select id from seat where id = 1', 'select id from seat ignore index (a, PRIMARY) where id = 1'],
  ['select `r0`.* from `seat` as `r0` where `r0`.`id` = 1', 'select `r0`.* from `seat` as `r0` ignore index (a, PRIMARY) where `r0`.`id` = 1'],
  ['select 1 from schedule d join seat s force index (a) on s.id = d.id', 'select 1 from schedule d join seat s ignore index (a, PRIMARY) on s.id = d.id'],
  ['select 1 from schedule d join seat on seat.id = d.id', 'select 1 from schedule d join seat ignore index (a, PRIMARY) on seat.id = d.id'],
  ['select id from seat order by id limit 1', 'select id from seat ignore index (a, PRIMARY) order by id limit 1'],
  ['select `s0`.* from `seat` as `s0` where `s0`.`id` = 1 for update', 'select `s0`.* from `seat` as `s0` ignore index (a, PRIMARY) where `s0`.`id` = 1'],
  ['select 1 from seat_log, reservation_seat where seat_id = 1', 'select 1 from seat_log, reservation_seat where seat_id = 1'],
])('%s', (statement, without) => {
  expect(withoutIndexes(statement, 'seat', ['a', 'PRIMARY'])).toBe(without);
});
