import { codeOf } from '../support/client.js';
import { startFrontrow, type Frontrow } from '../support/frontrow.js';
import { only, saleOf, type Sale } from '../support/sale.js';

let frontrow: Frontrow;
let sale: Sale;
beforeAll(async () => {
  frontrow = await startFrontrow({ env: { CHARGE_MAX: '1000000', BALANCE_MAX: '1500000' } });
  sale = saleOf(frontrow);
});
afterAll(() => frontrow.stop());

const charging = (credentials: object, input: unknown) =>
  frontrow.client().raw('mutation ($input: ChargeInput!) { charge(input: $input) { __typename } }', { input }, credentials);

test('W1, W3: a charge adds to the balance, and its ledger row says what the balance became', async () => {
  const buyer = await frontrow.build.buyer();
  const first = only(await sale.charge(buyer, 500, 'first'), 'Charge');
  expect(first).toMatchObject({ amount: 500, balance: 500 });
  expect(only(await sale.charge(buyer, 1_000_000, 'second'), 'Charge').balance).toBe(1_000_500);
  expect((await sale.me(buyer)).balance).toBe(1_000_500);
  const ledger = await sale.ledgerOf(buyer.id);
  expect(ledger.map(({ kind, amount, balanceAfter }) => [kind, amount, balanceAfter])).toEqual([['CHARGE', 500, 500], ['CHARGE', 1_000_000, 1_000_500]]);
  expect(ledger[0]!.sourceId).toBe(first.id);
});

test('W4: the same key and amount give the same answer, with the balance as it was; another amount is refused', async () => {
  const buyer = await frontrow.build.buyer();
  const first = only(await sale.charge(buyer, 500, 'key'), 'Charge');
  only(await sale.charge(buyer, 700, 'another key'), 'Charge');
  expect(await sale.charge(buyer, 500, 'key')).toEqual(first);
  only(await sale.charge(buyer, 501, 'key'), 'IdempotencyKeyReused');
  expect(await sale.balanceOf(buyer.id)).toBe(1200);
  const other = await frontrow.build.buyer();
  expect(only(await sale.charge(other, 501, 'key'), 'Charge').balance).toBe(501);
});

test('W4: keys are compared to the letter, up to 255 printable ASCII characters', async () => {
  const buyer = await frontrow.build.buyer();
  const keys = ['a', 'A', ' a', 'a ', '~'.repeat(255), `${'~'.repeat(254)}!`];
  const ids = await Promise.all(keys.map(async (key) => only(await sale.charge(buyer, 1, key), 'Charge').id));
  expect(new Set(ids).size).toBe(keys.length);
  for (const key of ['', 'x'.repeat(256), 'é', 'tab\t', 'line\n', '열쇠']) {
    expect((await charging(buyer, { amount: 1, idempotencyKey: key })).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'idempotencyKey' });
  }
  expect(await sale.balanceOf(buyer.id)).toBe(keys.length);
});

test('W1: a balance reaches its limit and not one more, and a refused key can be used again', async () => {
  const buyer = await frontrow.build.buyer({ balance: 1_000_000 });
  expect(await sale.charge(buyer, 500_001, 'key')).toMatchObject({ __typename: 'BalanceLimitExceeded', limit: 1_500_000, currentBalance: 1_000_000 });
  expect(only(await sale.charge(buyer, 500_000, 'key'), 'Charge').balance).toBe(1_500_000);
  only(await sale.charge(buyer, 1, 'one more'), 'BalanceLimitExceeded');
  expect(only(await sale.charge(buyer, 500_000, 'key'), 'Charge').balance).toBe(1_500_000);
  expect(await sale.ledgerOf(buyer.id)).toHaveLength(2);
});

test('W1: a balance is exact to the last unit, however large', async () => {
  const buyer = await frontrow.build.buyer({ balance: 30_000_001 });
  expect((await sale.me(buyer)).balance).toBe(30_000_001);
});

test('W1: amounts that are no positive whole number within bounds name their field and change nothing', async () => {
  const buyer = await frontrow.build.buyer();
  for (const amount of [0, 1_000_001, Number.MAX_SAFE_INTEGER]) {
    expect((await charging(buyer, { amount, idempotencyKey: 'key' })).errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'amount' });
  }
  for (const amount of [-1, 0.5, 1e300, '500', 'NaN', Number.NaN, null, true, [], {}, 2 ** 53]) {
    expect((await charging(buyer, { amount, idempotencyKey: 'key' })).errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  }
  for (const literal of ['-1', '0.5', '"500"', '1e3', '99999999999999999999', 'NaN']) {
    const answer = await frontrow.client().raw(`mutation { charge(input: { amount: ${literal}, idempotencyKey: "key" }) { __typename } }`, {}, buyer);
    expect(answer.errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  }
  expect(await sale.balanceOf(buyer.id)).toBe(0);
  expect(await sale.ledgerOf(buyer.id)).toHaveLength(0);
  expect(codeOf(await charging({}, { amount: 1, idempotencyKey: 'key' }))).toBe('UNAUTHENTICATED');
});

test('a user without a wallet is a fault, not a wallet made on the way', async () => {
  const buyer = await frontrow.build.buyer();
  await frontrow.app.orm.em.getConnection().execute('delete from wallet where user_id = ?', [buyer.id]);
  expect(codeOf(await charging(buyer, { amount: 1, idempotencyKey: 'key' }))).toBe('INTERNAL_SERVER_ERROR');
});
