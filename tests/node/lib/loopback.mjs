// What the two sign-in providers share: one listener on loopback, one ready line on standard output, an
// end when whoever started them goes away.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const MOST_BODY = 1024 * 1024;

// Libraries announce things with console.info; standard output belongs to the ready line alone.
console.log = console.info = console.debug = (...parts) => console.error(...parts);

/** The JSON document named by the first argument, or `absent` when there is none. */
export async function config(absent) {
  const path = process.argv[2];
  if (path === undefined) {
    if (absent === undefined) throw new Error('usage: give the path of a JSON configuration');
    return absent;
  }
  return JSON.parse(await readFile(path, 'utf8'));
}

/** A server on 127.0.0.1 whose handler can be set once its port, and so its issuer, is known. */
export async function listen(port = 0) {
  let handler = (_, answer) => answer.writeHead(503).end();
  const server = createServer((request, answer) => {
    Promise.resolve(handler(request, answer)).catch((error) => {
      console.error(error);
      if (!answer.headersSent) answer.writeHead(500);
      answer.end();
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const taken = server.address().port;
  return {
    port: taken,
    issuer: `http://127.0.0.1:${taken}`,
    handle: (next) => {
      handler = next;
    },
  };
}

/** Says that the provider is ready, and ends the process when standard input closes. */
export function ready(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();
}

/** Ends the process once the answer is out. */
export function stop(answer) {
  answer.once('finish', () => process.exit(0));
  json(answer, 200, { stopped: true });
}

export function json(answer, status, value) {
  answer.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  answer.end(JSON.stringify(value));
}

export async function text(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MOST_BODY) throw new Error('the body is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The JSON body of a control request; answers 400 itself and gives `undefined` when it is none. */
export async function control(request, answer) {
  const body = await text(request);
  try {
    const value = body === '' ? {} : JSON.parse(body);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {
    // Answered below.
  }
  json(answer, 400, { error: 'the body must be a JSON object' });
  return undefined;
}

/** Header and claims of a compact JWS, unchecked; what cannot be read is null. */
export function decoded(token) {
  const part = (index) => {
    try {
      return JSON.parse(Buffer.from(token.split('.')[index], 'base64url').toString('utf8'));
    } catch {
      return null;
    }
  };
  return { header: part(0), claims: part(1) };
}
