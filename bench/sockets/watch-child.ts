import { setTimeout as delay } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { answerJobs } from '../support/answer-jobs.js';
import { cpuUsOf } from '../support/cpu.js';
import { Histogram } from '../support/histogram.js';
import { WsConnection } from '../support/ws-connection.js';
import { nowMs, type OpenJob, type OpenResult, type SocketsJob, type WatchJob, type WatchResult } from './watch-jobs.js';

/** Thousands of people who wait, each on a websocket of their own. */

/** So many are connecting at a time: fewer than the server lets be unacknowledged. */
const AT_ONCE = 200;
const PROTOCOL = 'graphql-transport-ws';
const SENT_AT = /"sentAt":([\d.]+)/;

let open = 0;
let lost = 0;
let why = '';
let heard: (payload: Buffer) => void = () => undefined;

async function openAll({ port, subscription, tokens, from, to }: OpenJob): Promise<OpenResult> {
  const all = JSON.parse(readFileSync(tokens, 'utf8')) as string[];
  const startedAt = performance.now();
  let next = from;
  const openNext = async (): Promise<void> => {
    while (next < to) await openOne(port, all[next++]!, subscription);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openNext));
  return { open, seconds: (performance.now() - startedAt) / 1000 };
}

/** Resolves with its first message of what was subscribed to. */
function openOne(port: number, token: string, subscription: OpenJob['subscription']): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const ready = (): void => {
      isOpen = true;
      open += 1;
      resolve();
    };
    new WsConnection(open, port, subscription ? PROTOCOL : null, {
      onOpen: (connection) => {
        if (!subscription) return ready();
        connection.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
      },
      onText: (connection, payload) => {
        if (isOpen) return heard(payload);
        const text = payload.toString();
        if (text.includes('"connection_ack"')) return connection.send(JSON.stringify({ id: '1', type: 'subscribe', payload: subscription }));
        if (text.includes('"next"') && !text.includes('"errors"')) return ready();
        reject(new Error(`Instead of a first message: ${text}`));
      },
      onClose: (_, reason) => {
        if (!isOpen) return reject(new Error(`A socket did not open: ${reason}`));
        open -= 1;
        lost += 1;
        why ||= reason;
      },
    });
  });
}

async function watch({ ms, told, pids }: WatchJob): Promise<WatchResult> {
  const delays = new Histogram();
  let messages = 0;
  let toldAt = 0;
  const subscriber = told === 'in the message' ? null : new Redis(told.redis);
  if (subscriber && told !== 'in the message') {
    await subscriber.subscribe(told.topic);
    subscriber.on('message', (_topic, text: string) => {
      if (text.includes('"moved":true')) toldAt = nowMs();
    });
  }
  const atOf = subscriber ? () => toldAt : (payload: Buffer) => Number(SENT_AT.exec(payload.toString())?.[1]);
  heard = (payload) => {
    messages += 1;
    const at = atOf(payload);
    if (at > 0) delays.add(nowMs() - at);
  };
  lost = 0;
  const [startedAt, before] = [performance.now(), pids.map(cpuUsOf)];
  await delay(ms);
  const [seconds, cpuUs] = [(performance.now() - startedAt) / 1000, pids.map((pid, index) => cpuUsOf(pid) - before[index]!)];
  heard = () => undefined;
  subscriber?.disconnect();
  return { seconds, messages, delays: delays.times(), cpuUs, lost, why };
}

answerJobs<SocketsJob>((job) => (job.kind === 'open' ? openAll(job) : watch(job)));
