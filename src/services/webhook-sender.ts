import { createHmac } from 'node:crypto';

/** A receiver that takes longer has not answered. */
const TIMEOUT_MS = 5000;
const ERROR_LENGTH_MAX = 200;

/** What came of an attempt: only 2xx has arrived. */
export interface Sent {
  arrived: boolean;
  status: number | null;
  error: string | null;
}

/** What proves to a receiver who sends, and when: HMAC-SHA256 of `timestamp.body` with the webhook's secret, in hex. */
export const signatureOf = (secret: string, timestamp: string, body: string): string => createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');

/** Posts one event, signed anew at each attempt. No redirect is followed, and of the answer nothing but its status is read; it never throws. */
export class WebhookSender {
  constructor(private readonly timeoutMs = TIMEOUT_MS) {}

  async send({ url, secret }: { url: string; secret: string }, eventId: string, body: string): Promise<Sent> {
    const timestamp = String(Math.floor(Date.now() / 1000));
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        signal: AbortSignal.timeout(this.timeoutMs),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'Frontrow',
          'frontrow-event-id': eventId,
          'frontrow-timestamp': timestamp,
          'frontrow-signature': signatureOf(secret, timestamp, body),
        },
        body,
      });
      await response.body?.cancel();
      return { arrived: response.ok, status: response.status, error: response.ok ? null : `status ${response.status}` };
    } catch (error) {
      return { arrived: false, status: null, error: reasonOf(error).slice(0, ERROR_LENGTH_MAX) };
    }
  }
}

/** A short word for it: a timeout, or the network's own code. */
function reasonOf(error: unknown): string {
  const { name, message, cause } = error as { name?: string; message?: string; cause?: { code?: string; message?: string } };
  return name === 'TimeoutError' ? 'timeout' : (cause?.code ?? cause?.message ?? message ?? String(error));
}
