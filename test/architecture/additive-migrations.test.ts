import { filesOf, read } from '../support/sources.js';

/** During a deploy the version before runs on the tables of the new one: it must find, and be able to write, everything it knows. */

/**
 * What may happen to a table it knows: an index that refuses nothing, a column it need not write, a column that takes more than before, another layout of its rows. An index may also go
 * that refuses nothing (`_index`; those that do are called `_unique`) and that no statement names: without it the same is found, more slowly. One that is named may be made anew, of its first columns.
 */
const SAFE_CLAUSES = [
  /^add (index|key) \w+ \([\w, ]+\)$/,
  /^add (column )?\w+ \w+(\(\d+\))?( unsigned)?( not null default .+| null( default .+)?)$/,
  /^drop index \w+_index$/,
  /^row_format = (redundant|compact|dynamic)$/,
  /^modify (column )?\w+ (varchar\(\d+\)|bigint|bigint unsigned|mediumtext|longtext)( not)? null$/,
];

/** Clauses of an alter, apart at the commas that stand in no parentheses. */
const clausesOf = (list: string): string[] => list.split(/,\s*(?![^(]*\))/);

/** A table that is made here may have anything: the version before does not know it. */
function isSafe(statement: string, madeHere: readonly string[]): boolean {
  if (statement.startsWith('create table ')) return true;
  const [, table, list] = /^alter table (\w+) (.*)$/.exec(statement) ?? [];
  if (table === undefined) return false;
  return madeHere.includes(table) || clausesOf(list!).every((clause) => SAFE_CLAUSES.some((safe) => safe.test(clause)));
}

function unsafe(statements: readonly string[]): string[] {
  const plain = statements.map((statement) => statement.replace(/\s+/g, ' ').trim());
  const madeHere = plain.flatMap((statement) => /^create table (\w+)/.exec(statement)?.[1] ?? []);
  return plain.filter((statement) => !isSafe(statement, madeHere));
}

/** Every statement of a migration, but for those of `down`. */
function statementsOf(source: string): string[] {
  const up = source.replace(/override down\(\): void \{.*?\n {2}\}/s, '');
  return [...up.matchAll(/([`'"])((?:alter|create|drop|rename|update|insert|delete|truncate|replace)\b.*?)\1/gis)].map(([, , statement]) => statement!);
}

/** Not those that the same statement makes anew. */
function droppedBy(statement: string): string[] {
  const names = (what: RegExp): string[] => [...statement.matchAll(what)].map(([, name]) => name!);
  const made = names(/add (?:index|key|unique) (\w+)/g);
  return names(/drop index (\w+)/g).filter((name) => !made.includes(name));
}

/** Indexes that a migration makes anew of other columns than the first ones that they had before it. */
function madeOfOthers(files: readonly string[]): string[] {
  const columnsOf = new Map<string, string>();
  return files.flatMap((source) =>
    statementsOf(source).flatMap((statement) =>
      [...statement.matchAll(/add (?:index|key) (\w+) \(([\w, ]+)\)/g)].flatMap(([, name, columns]) => {
        const before = columnsOf.get(name!);
        columnsOf.set(name!, columns!);
        return before === undefined || `${before},`.startsWith(`${columns},`) ? [] : [name!];
      }),
    ),
  );
}

const migrations = filesOf('src/database/migrations', '.ts').filter((file) => /\/\d{3}-/.test(file) && !file.includes('/001-'));

test('O1: every migration after the first leaves the version before it able to run beside it', () => {
  expect(migrations.length).toBeGreaterThan(1);
  for (const file of migrations) {
    const statements = statementsOf(read(file));
    expect({ file, found: statements.length > 0, unsafe: unsafe(statements) }).toEqual({ file, found: true, unsafe: [] });
  }
});

test('O1: no statement names an index that was dropped: it would fail in the version before', () => {
  const dropped = migrations.flatMap((file) => statementsOf(read(file)).flatMap(droppedBy));
  expect(dropped).not.toEqual([]);
  const code = filesOf('src', '.ts').filter((file) => !file.includes('/migrations/')).map(read).join('\n');
  expect(dropped.filter((name) => code.includes(name))).toEqual([]);
  expect(code).toContain('force index (seat_status_index)');
});

test('O1: an index that is made anew serves what the version before asks of it', () => {
  expect(madeOfOthers(filesOf('src/database/migrations', '.ts').filter((file) => /\/\d{3}-/.test(file)).map(read))).toEqual([]);
  const [before, ...after] = ['user_id, concert_id, status', 'user_id, concert_id', 'concert_id, user_id', 'user'].map((columns) => `'alter table reservation drop index quota_index, add index quota_index (${columns})'`);
  expect(after.map((statement) => madeOfOthers([before!, statement]))).toEqual([[], ['quota_index'], ['quota_index']]);
});

test('what would break the version before is found', () => {
  const broken = [
    'drop table webhook',
    'alter table schedule drop column deleted_at',
    'alter table seat drop index seat_id_unique',
    'alter table schedule rename column deleted_at to gone_at',
    'alter table schedule change deleted_at gone_at datetime(3) null',
    'alter table schedule add column city varchar(20) not null',
    'alter table schedule add index schedule_total_index (total_seats), add column city varchar(20) not null',
    'alter table reservation add unique reservation_once (user_id)',
    'alter table seat add constraint seat_reservation_foreign foreign key (reservation_id) references reservation (id)',
    'alter table seat modify price int not null',
    'rename table seat to chair',
    "update seat set status = 'FREE'",
  ];
  expect(unsafe(broken)).toEqual(broken);
  expect(statementsOf("this.addSql('drop table webhook'); [`alter table seat\n drop column price`]")).toHaveLength(2);
  const safe = [
    'create table new_thing (id int not null, primary key (id))',
    'alter table new_thing add unique new_thing_once (id)',
    'alter table schedule add column city varchar(20) null',
    "alter table schedule add city varchar(20) not null default 'Seoul', add index schedule_city_index (city, id)",
    'alter table webhook modify url varchar(1000) not null',
    'alter table seat drop index seat_section_index',
    'alter table seat drop index seat_status_index, add index seat_status_index (schedule_id, status)',
    'alter table seat row_format = redundant',
  ];
  expect(unsafe(safe)).toEqual([]);
  expect(safe.flatMap(droppedBy)).toEqual(['seat_section_index']);
});
