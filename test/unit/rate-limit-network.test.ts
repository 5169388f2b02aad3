import { networkOf } from '../../src/domain/address.js';

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('the rate limits count %j as %j', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('a network is its own network', () => {
  expect(networkOf(networkOf('2001:db8::1'))).toBe('2001:db8:0:0::/64');
});
