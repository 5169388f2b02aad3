import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { nowMs } from '../sockets/watch-jobs.js';

/** What sending alone costs: every second the same bytes to every websocket, as many as a position has. */

const EVERY_MS = 1000;
const POSITION = JSON.stringify({ id: '1', type: 'next', payload: { data: { queuePosition: { concertId: '01890000-0000-7000-8000-000000000000', userId: '01890000-0000-7000-8000-000000000000', status: 'WAITING', position: 10_000, waiting: 19_500 } } } });

const http = createServer();
const sockets = new WebSocketServer({ server: http });
setInterval(() => {
  const text = `{"sentAt":${nowMs().toFixed(3)},${POSITION.slice(1)}`;
  for (const client of sockets.clients) client.send(text);
}, EVERY_MS);
http.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(http.address() as AddressInfo).port}`));
