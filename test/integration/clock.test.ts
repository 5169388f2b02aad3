import { startFrontrow, type Frontrow } from '../support/frontrow.js';

let frontrow: Frontrow;
beforeAll(async () => {
  frontrow = await startFrontrow();
});
afterAll(() => frontrow.stop());

test('now tells the server clock in UTC with milliseconds', async () => {
  const answer = await frontrow.client().raw('{ now currency }', {});
  expect(answer.data.now).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(Math.abs(Date.parse(answer.data.now) - Date.now())).toBeLessThan(5000);
  expect(answer.data.currency).toBe('KRW');
});
