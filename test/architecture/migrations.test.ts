import { startFrontrow, type Frontrow } from '../support/frontrow.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow({ brokenOnPurpose: { invariants: 'all', because: 'a column is dropped' } });
});
afterAll(() => frontrow.stop());

test('the migrations make exactly the tables that the entities describe', async () => {
  expect((await frontrow.app.orm.schema.getUpdateSchemaSQL({ wrap: false })).trim()).toBe('');
});

test('a column that no migration made is found', async () => {
  await frontrow.app.orm.em.getConnection().execute('alter table schedule drop column deleted_at');
  expect(await frontrow.app.orm.schema.getUpdateSchemaSQL({ wrap: false })).toContain('deleted_at');
});
