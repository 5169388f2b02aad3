import { createHmac } from 'node:crypto';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { lookupOutside, refuseInside } from './outside-address.js';

/** A receiver that takes longer has not answered. */
const TIMEOUT_MS = 5000;
const ERROR_LENGTH_MAX = 200;
/** A longer answer is not read to its end: its connection is dropped. */
const ANSWER_LENGTH_MAX = 65_536;

/** What came of an attempt: only 2xx has arrived. */
export interface Sent {
  arrived: boolean;
  status: number | null;
  error: string | null;
}

export interface Recipient {
  url: string;
  secret: string;
  oldSecret?: string | null;
  oldSecretUntil?: Date | null;
}

/** What proves to a receiver who sends, and when: HMAC-SHA256 of `timestamp.body` with the webhook's secret, in hex. */
export const signatureOf = (secret: string, timestamp: string, body: string): string => createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');

/** One for each secret that counts, the newest first. */
export function signaturesOf({ secret, oldSecret, oldSecretUntil }: Recipient, timestamp: string, body: string, at: Date): string {
  const secrets = oldSecret && oldSecretUntil && oldSecretUntil > at ? [secret, oldSecret] : [secret];
  return secrets.map((one) => signatureOf(one, timestamp, body)).join(',');
}

/** Posts one event, signed anew at each attempt. No redirect is followed, and of the answer nothing but its status is kept; it never throws. */
export class WebhookSender {
  constructor(
    /** False: only addresses of the public internet, whatever a name resolves to. */
    private readonly privateAllowed: boolean,
    private readonly timeoutMs = TIMEOUT_MS,
  ) {}

  /** `at` is the database's clock: this process's own may be minutes off, and receivers refuse what is old. */
  async send(recipient: Recipient, eventId: string, body: string, at: Date): Promise<Sent> {
    const timestamp = String(Math.floor(at.getTime() / 1000));
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'Frontrow',
      'frontrow-event-id': eventId,
      'frontrow-timestamp': timestamp,
      'frontrow-signature': signaturesOf(recipient, timestamp, body, at),
    };
    try {
      const status = await this.#post(new URL(recipient.url), headers, body);
      const arrived = status >= 200 && status < 300;
      return { arrived, status, error: arrived ? null : `status ${status}` };
    } catch (error) {
      return { arrived: false, status: null, error: reasonOf(error).slice(0, ERROR_LENGTH_MAX) };
    }
  }

  async #post(url: URL, headers: Record<string, string | number>, body: string): Promise<number> {
    if (!this.privateAllowed) refuseInside(url);
    const signal = AbortSignal.timeout(this.timeoutMs);
    const options = { method: 'POST', headers, signal, ...(!this.privateAllowed && { lookup: lookupOutside }) };
    return new Promise((resolve, reject) => {
      const post: ClientRequest = url.protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
      post.on('response', (response) => (leave(response), resolve(response.statusCode!)));
      post.on('error', reject);
      post.end(body);
    });
  }
}

/** Read to its end where that is short, so that the connection can be used again. */
function leave(response: IncomingMessage): void {
  response.on('error', () => undefined);
  if (Number(response.headers['content-length'] ?? Infinity) <= ANSWER_LENGTH_MAX) response.resume();
  else response.destroy();
}

/** A short word for it: a timeout, or the network's own code. */
function reasonOf(error: unknown): string {
  const { name, code, message, cause } = error as { name?: string; code?: string; message?: string; cause?: { name?: string } };
  return name === 'TimeoutError' || cause?.name === 'TimeoutError' ? 'timeout' : (code ?? message ?? String(error));
}
