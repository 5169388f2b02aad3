import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';

/** The limit: node:http reads the request and writes bytes that were ready before, those that the other sides answer with. Nothing is checked, nobody is asked. */

const bytes = new Map<string, Buffer>(Object.entries(JSON.parse(readFileSync(process.env['ANSWERS']!, 'utf8')) as Record<string, string>).map(([path, body]) => [`/${path}`, Buffer.from(body)]));

const server = createServer((request, response) => {
  request.on('data', () => undefined);
  request.on('end', () => {
    const body = bytes.get(request.url ?? '');
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json; charset=utf-8', 'content-length': body?.length ?? 0 }).end(body);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
