// The dashboard in a real browser: does it show what happens, do what it is told, and nothing else?
//
// Environment: ADMIN and PROXY (addresses), CHROMIUM (the browser), ARTEFACTS (a folder for screenshots), and TOKEN
// where the proxy asks for one. tests/it/dashboard.rs sets all of it, and has rules for todos: `todo` (detail:{id}),
// `todos` (list:{query}) and `todo-changed`.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { open } from './open.mjs';
import { guarded } from './guarded.mjs';

const { ADMIN, PROXY, CHROMIUM, ARTEFACTS, TOKEN } = process.env;
await mkdir(ARTEFACTS, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

/** A window of its own, and what it said and asked. */
async function newWindow(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const seen = { complaints: [], requests: [] };
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && seen.complaints.push(message.text()));
  page.on('pageerror', (error) => seen.complaints.push(`thrown: ${error.message}`));
  page.on('request', (request) => seen.requests.push(request));
  return { page, seen, close: () => context.close() };
}

/** Sends a request as a client, and tells its Cache-Status. */
async function client(path, options) {
  const response = await fetch(`${PROXY}${path}`, options);
  await response.arrayBuffer();
  return response.headers.get('cache-status');
}

/** Asks until it is so. */
async function until(what, isSo) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const found = await isSo();
    if (found) return found;
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

let failed = 0;
const tools = { ADMIN, TOKEN, assert, client, newWindow, until, shot: (page, name, options) => page.screenshot({ path: `${ARTEFACTS}/${name}.png`, ...options }) };
for (const [name, story] of Object.entries(TOKEN ? guarded : open)) {
  try {
    await story(tools);
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
await browser.close();
process.exit(failed === 0 ? 0 : 1);
