import type { Socket } from 'node:net';

/**
 * Texts written to a websocket as one piece: frame and text in one write, which costs half of what two of them do, and no buffer. Only while nothing is
 * compressed and the websocket itself writes whole frames, as ours does.
 */

const FINAL_TEXT = 0x81;
const LENGTH_IN_7_BITS_MAX = 125;
const LENGTH_IN_16_BITS_MAX = 0xffff;

/** Resolves when a slow reader has taken what it was sent; undefined where it has already. */
export function writeText(socket: Socket, text: string, isAscii: boolean): Promise<void> | undefined {
  const length = isAscii ? text.length : Buffer.byteLength(text);
  if (length === text.length) socket.write(headOf(length) + text, 'latin1');
  else {
    socket.cork();
    socket.write(headOf(length), 'latin1');
    socket.write(text, 'utf8');
    socket.uncork();
  }
  if (socket.writableLength === 0) return undefined;
  return new Promise((resolve) => socket.write('', () => resolve()));
}

export const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;

/** The last text that was looked at. */
let known = { text: '', isAscii: true };

/** Of a text that many are sent one after the other: looking at each of the texts that it is put into would cost as much as writing them. */
export function isKnownAscii(text: string): boolean {
  if (known.text !== text) known = { text, isAscii: isAscii(text) };
  return known.isAscii;
}

const byte = String.fromCharCode;
const headsOf16Bits: string[] = [];

/** As one character for each byte. */
function headOf(length: number): string {
  if (length <= LENGTH_IN_7_BITS_MAX) return byte(FINAL_TEXT, length);
  if (length <= LENGTH_IN_16_BITS_MAX) return (headsOf16Bits[length] ??= byte(FINAL_TEXT, 126, length >> 8, length & 255));
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return byte(FINAL_TEXT, 127) + bytes.toString('latin1');
}
