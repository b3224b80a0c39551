// Opens every page of a running service in a real browser, signed out and signed in, on the narrowest screen that
// must do and on a wide one, and holds each against axe-core's rules for WCAG 2.2 AA. No page may scroll sideways,
// ask another origin for anything, or log an error in the browser's console.
//
//   node page-check.mjs [PROGRAM] [--shots FOLDER]
//
// PROGRAM is the built front-door; without it, the one cargo builds. It is started on a store of its own and ended
// again. The browser is the one named by FRONT_DOOR_TEST_BROWSER, else a Chromium of this machine, else one that is
// installed now. What is missing and cannot be had fails; nothing is left out. With --shots, a picture of every page is kept.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const READY_WITHIN = 120_000;
const GONE_WITHIN = 10_000;
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const SCREENS = [
  { name: 'narrow', width: 320, height: 640 },
  { name: 'phone', width: 375, height: 812 },
  { name: 'wide', width: 1280, height: 900 },
];
const LIST = '/waiting-times/look-up?provider=RRK&specialty=C_110&name=';
const COMPARE = '/waiting-times/compare?specialty=C_110';
const FOR_ALL = [
  '/',
  '/sign-in',
  '/signed-out',
  '/help',
  '/cookies',
  '/accessibility',
  '/no-such-page',
  '/waiting-times/how-we-estimate',
  '/waiting-times/look-up',
  '/waiting-times/look-up?name=&specialty=',
  '/waiting-times/look-up?name=a&specialty=C_110',
  LIST,
  `${LIST}&weeks=10`,
  `${LIST}&weeks=30&decided=yes`,
  `${LIST}&weeks=130`,
  `${LIST}&weeks=many`,
  `${LIST}&day=31&month=2&year=2026`,
  '/waiting-times/look-up?provider=RCB&specialty=C_100&weeks=20',
  '/waiting-times/look-up?provider=ZZ9&specialty=C_110&weeks=20',
  '/waiting-times/look-up?provider=RRK&specialty=X03',
  '/waiting-times/compare',
  `${COMPARE}&weeks=`,
  `${COMPARE}&weeks=20`,
  `${COMPARE}&weeks=20&provider=RRK&provider=RTH`,
];
const FOR_SIGNED_IN = ['/waiting-times', '/account', '/account/sessions', '/account/concerns', '/session-ending'];
/** People whose waits show every state: as the sandbox introduces them. */
const PEOPLE = [
  'Philomena Quarrybank',
  'Zephyrine Mossgrave',
  'Cosmo Hathersnipe',
  'Wilhelmina Rookspire',
  'Hyacinth Larkenby',
  'Thaddeus Orrelwick',
  'Clementine Sedgemantle',
  'Octavian Pellwether',
];

const shots = folderOfShots();
if (shots !== undefined) await mkdir(shots, { recursive: true });
const server = await startServer();
let checked = 0;
const faults = [];
try {
  const browser = await chromium.launch({ executablePath: executable() });
  try {
    await proveItBites(browser);
    for (const screen of SCREENS) await checkAll(browser, screen);
  } finally {
    await browser.close();
  }
} finally {
  await server.end();
}
assert.deepEqual(faults, [], `${faults.length} faults on ${checked} pages`);
console.log(`page-check: ${checked} pages pass`);

async function checkAll(browser, screen) {
  await withPage(browser, screen, async (look) => {
    for (const path of FOR_ALL) await look(path, 'signed out');
  });
  for (const [place, person] of PEOPLE.entries()) {
    await withPage(browser, screen, async (look, page) => {
      await signIn(page, person);
      for (const path of place === 0 ? [...FOR_SIGNED_IN, ...FOR_ALL] : ['/waiting-times']) await look(path, person);
      if (place !== 0) return;
      await page.goto(`${server.origin}/waiting-times`);
      await page.getByRole('button', { name: 'Do not show me estimates' }).click();
      assert.equal(await page.getByText('How much longer?').count(), 0, 'hidden estimates are shown');
      await look('/waiting-times', `${person}, hidden`);
      await page.goto(`${server.origin}/waiting-times`);
      await page.getByRole('button', { name: 'Show estimates' }).click();
      assert.notEqual(await page.getByText('How much longer?').count(), 0, 'estimates do not come back');
    });
  }
}

/** A browser window of its own, and the function that looks at one page in it. */
async function withPage(browser, screen, work) {
  const context = await browser.newContext({ viewport: screen, reducedMotion: 'reduce' });
  const page = await context.newPage();
  let where = '';
  const fault = (what) => faults.push(`${where}: ${what}`);
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== server.origin) fault(`asks for ${request.url()}`);
  });
  page.on('pageerror', (error) => fault(`script: ${error.message}`));
  page.on('console', (message) => {
    // The browser itself logs the status of a page that is an error page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) fault(message.text());
  });
  const look = async (path, who) => {
    where = `${path} (${who}, ${screen.name})`;
    await page.goto(server.origin + path);
    checked += 1;
    for (const what of await faultsOf(page)) fault(what);
    if (shots !== undefined) {
      const name = `${screen.name} ${who} ${path}`.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 120);
      await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
    }
  };
  try {
    await work(look, page);
  } finally {
    await context.close();
  }
}

/** What is wrong with the page that is open. */
async function faultsOf(page) {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ').slice(0, 500)}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  return over > 0 ? [...found, `scrolls sideways by ${over}`] : found;
}

/** A checker that finds nothing proves nothing: each of these must be found. */
async function proveItBites(browser) {
  const context = await browser.newContext({ viewport: SCREENS[0] });
  const page = await context.newPage();
  const around = (main) => `<!doctype html><html lang="en"><title>T</title><main><h1>H</h1>${main}</main></html>`;
  const bad = [
    ['', undefined],
    ['<img src="data:,">', 'image-alt'],
    ['<p style="color:#aaa;background:#fff">pale</p>', 'color-contrast'],
    ['<svg role="img"></svg>', 'svg-img-alt'],
    ['<input type="text">', 'label'],
    ['<p style="width:400px">wide</p>', 'scrolls sideways'],
  ];
  for (const [main, fault] of bad) {
    await page.setContent(around(main));
    const found = await faultsOf(page);
    const good = fault === undefined ? found.length === 0 : found.some((what) => what.startsWith(fault));
    assert.ok(good, `${main}: ${found}`);
  }
  await context.close();
}

async function signIn(page, person) {
  await page.goto(`${server.origin}/auth/login?return_to=%2Faccount`);
  await page.getByRole('button', { name: person }).click();
  await page.waitForURL(`${server.origin}/account`);
}

/** The service on a store of its own, on any free port. */
async function startServer() {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
  const given = process.argv[2]?.startsWith('--') ? undefined : process.argv[2];
  const program = given ?? join(target, 'debug', 'front-door');
  if (!existsSync(program)) throw new Error(`${program} is not built: cargo build`);
  const folder = await mkdtemp(join(tmpdir(), 'front-door-pages-'));
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('FRONT_DOOR__'));
  const child = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--data-dir', folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(environment), FRONT_DOOR__METRICS__LISTEN: '127.0.0.1:0' },
  });
  let said = '';
  child.stderr.on('data', (part) => {
    said = (said + part).slice(-4000);
  });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const origin = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the service is not ready in time\n${said}`)), READY_WITHIN);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = line.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
      if (found === undefined) return;
      clearTimeout(late);
      resolve(found);
    });
    gone.then((code) => reject(new Error(`the service ended with ${code}\n${said}`)));
  });
  return {
    origin,
    end: async () => {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), GONE_WITHIN);
      await gone;
      clearTimeout(late);
      await rm(folder, { recursive: true });
    },
  };
}

/** A Chromium: the one named, one of this machine, or one installed for this. */
function executable() {
  const named = process.env.FRONT_DOOR_TEST_BROWSER;
  if (named !== undefined) {
    if (!existsSync(named)) throw new Error(`FRONT_DOOR_TEST_BROWSER names ${named}, which is not there`);
    return named;
  }
  const known = () =>
    [
      chromium.executablePath(),
      '/usr/bin/chromium-headless-shell',
      '/usr/bin/chromium',
      '/usr/bin/chromium-browser',
      '/usr/bin/google-chrome',
    ].find((path) => existsSync(path));
  const installs = [
    ['apt-get', ['update', '-qq']],
    ['apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium-headless-shell', 'fonts-liberation']],
    [process.execPath, [fileURLToPath(new URL('node_modules/playwright-core/cli.js', import.meta.url)), 'install', 'chromium']],
  ];
  for (const [command, args] of installs) {
    if (known() !== undefined) break;
    if (command === 'apt-get' && process.getuid?.() !== 0) continue;
    console.log(`installing a browser: ${command}`);
    spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  }
  const found = known();
  if (found === undefined) throw new Error('no Chromium: install one, or name it in FRONT_DOOR_TEST_BROWSER');
  return found;
}

function folderOfShots() {
  const place = process.argv.indexOf('--shots');
  if (place < 0) return undefined;
  const folder = process.argv[place + 1];
  if (folder === undefined) throw new Error('--shots needs a folder');
  return folder;
}
