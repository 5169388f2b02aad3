import type { IncomingMessage } from 'node:http';
import { MESSAGE_MAX_BYTES } from './limits.js';

const JSON_BODY = /^application\/json(?:; ?charset=utf-8)?$/i;

/** Whether the request is one of the kind that known operations come in: a JSON body of a size that is said in advance, and not too large. */
export function hasPlainBody({ method, url, headers }: IncomingMessage): boolean {
  if (method !== 'POST' || url !== '/graphql') return false;
  const { 'content-type': type, 'content-length': length } = headers;
  if (type !== 'application/json' && !(type !== undefined && JSON_BODY.test(type))) return false;
  if (length === undefined || headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined) return false;
  return Number(length) > 0 && Number(length) <= MESSAGE_MAX_BYTES;
}

/** Calls back with the whole body; never for a client that goes away before. Node sees to it that it is as long as was said. */
export function readBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  let first: Buffer | undefined;
  let others: Buffer[] | undefined;
  request.on('data', (chunk: Buffer) => {
    if (!first) first = chunk;
    else (others ??= [first]).push(chunk);
  });
  request.on('end', () => done(others ? Buffer.concat(others) : first!));
}
