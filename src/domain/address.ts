/**
 * What of an address stands for one client: an IPv4 address whole, of an IPv6 address the first 64 bits, because whoever has one address
 * of such a network has all of them.
 */
export function networkOf(address: string): string {
  const plain = address.toLowerCase().replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped) return mapped;
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.split('::');
  const left = groupsOf(head);
  const right = groupsOf(tail);
  const missing = plain.includes('::') ? Math.max(0, GROUPS - left.length - right.length) : 0;
  const groups = [...left, ...Array.from({ length: missing }, () => '0'), ...right];
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`;
}

const GROUPS = 8;
const NETWORK_GROUPS = 4;
const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':').map((group) => group.replace(/^0+(?=.)/, '')));
