import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { eventually } from './eventually.js';

export interface Received {
  headers: IncomingHttpHeaders;
  body: string;
  event: { id: string; type: string; userId: string; reservationId: string | null; payload: Record<string, unknown> };
  /** Where the receiver hangs: answers at last. */
  answer(status: number): void;
}

/** A real HTTP server that webhooks are delivered to; answers with a status of the test's choice, or lets the sender hang. */
export interface Receiver {
  url: string;
  received: Received[];
  /** From now on: a status, or 'hang'. */
  answerWith(answer: number | 'hang', headers?: Record<string, string>): void;
  until(count: number): Promise<Received[]>;
  close(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let how: { answer: number | 'hang'; headers: Record<string, string> } = { answer: 200, headers: {} };
  const server = createServer((request, response: ServerResponse) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body, event: JSON.parse(body), answer: (status) => void response.writeHead(status).end() });
      if (how.answer !== 'hang') response.writeHead(how.answer, how.headers).end('not read');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answerWith: (answer, headers = {}) => void (how = { answer, headers }),
    until: (count) => eventually(() => received.length >= count && received, `${count} requests at the receiver`),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
