import type { IncomingMessage } from 'node:http';

/** As fastify's trustProxy reads it: the given number of addresses from the end of the chain are our own proxies. */
export function clientAddressOf(request: IncomingMessage, hops: number): string {
  const own = request.socket.remoteAddress ?? '';
  if (hops === 0) return own;
  const forwarded = request.headers['x-forwarded-for'];
  const named = typeof forwarded === 'string' ? forwarded.split(',').map((address) => address.trim()).filter(Boolean).reverse() : [];
  const chain = [own, ...named];
  return chain[Math.min(hops, chain.length - 1)]!;
}
