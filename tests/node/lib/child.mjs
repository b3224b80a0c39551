// Starts one of the providers as the Rust tests do: ready line on its standard output, its end by closing its
// standard input.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const READY_WITHIN = 20_000;
const GONE_WITHIN = 5_000;

/** The running provider: its ready line, and how to end it. */
export async function start(script, ...args) {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (part) => {
    said += part;
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const lines = [];
  const first = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${script} is not ready in time\n${said}`)), READY_WITHIN);
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      clearTimeout(late);
      resolve(JSON.parse(line));
    });
    gone.then((code) => reject(new Error(`${script} ended with ${code}\n${said}`)));
  });
  first.catch(() => child.kill());
  const line = await first;
  return {
    ...line,
    /** Closes its standard input and waits for its end; fails if it stays, or said more than one line. */
    end: async () => {
      child.stdin.end();
      const late = new Promise((resolve) => setTimeout(resolve, GONE_WITHIN, 'late').unref());
      if ((await Promise.race([gone, late])) === 'late') {
        child.kill('SIGKILL');
        throw new Error(`${script} did not end with its standard input`);
      }
      if (lines.length !== 1) throw new Error(`${script} said ${lines.length} lines`);
    },
  };
}

export async function get(url) {
  const answer = await fetch(url);
  return answer.json();
}

export async function post(url, value = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** A browser's part: a cookie jar for one origin; redirects are followed by the caller. */
export function browser() {
  const jar = new Map();
  return async (url, form) => {
    const answer = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      body: form === undefined ? undefined : new URLSearchParams(form),
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      redirect: 'manual',
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair] = cookie.split(';');
      const split = pair.indexOf('=');
      jar.set(pair.slice(0, split), pair.slice(split + 1));
    }
    const location = answer.headers.get('location');
    return { status: answer.status, body: await answer.text(), location: location && new URL(location, url).href };
  };
}
