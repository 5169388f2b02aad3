import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A process that does what it is told over HTTP, one thing at a time, and says where it listens. */
export async function obey<Order, Report>(carryOut: (order: Order) => Promise<Report>): Promise<void> {
  const server = createServer((request, response) => {
    const answer = async (): Promise<string> => JSON.stringify(await carryOut(JSON.parse(await text(request)) as Order));
    answer().then(
      (report) => response.end(report),
      (error: unknown) => response.writeHead(500).end(error instanceof Error ? error.stack : String(error)),
    );
  });
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

/** Answers its report. */
export async function order<Order, Report>(url: string, what: Order): Promise<Report> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(what) });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Report;
}
