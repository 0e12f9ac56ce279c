// A page with the real supabase-js in a real Chromium, through Larder: does the browser by itself keep what it
// read, ask whether that still holds, and hear `304`, and does a write reach the page all the same?
//
// Environment: THROUGH (Larder's address), KEYS (what tests/upstream/start.mjs printed), CHROMIUM (the browser,
// found in the PATH otherwise). tests/browser.rs sets it. Prints what went over the wire; exits with 1 if it is not right.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import { chromium } from 'playwright-core';

const { THROUGH, KEYS, CHROMIUM } = process.env;
const { publishableKey, secretKey } = JSON.parse(KEYS);
const ANSWER_MS_MAX = 30_000;

const supabase = createRequire(import.meta.url).resolve('@supabase/supabase-js');
const script = fs.readFileSync(path.join(path.dirname(supabase), 'umd/supabase.js'));
const page = `<!doctype html><title>homes</title><script src="/supabase.js"></script><script>
  const visitor = supabase.createClient(${JSON.stringify(THROUGH)}, ${JSON.stringify(publishableKey)});
  const answered = ({ data, count, error }) => { if (error) throw new Error(error.message); return { data, count }; };
  const list = async () => answered(await visitor.from('amenities').select('*', { count: 'exact' }).order('id'));
  const homes = async () => answered(await visitor.from('published_properties').select('*').order('id')).data;
</script>`;

// The app, served by nobody's proxy: reads are cross-origin, as in most apps.
const app = http.createServer((request, response) => {
  const isScript = request.url === '/supabase.js';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
  response.end(isScript ? script : request.url === '/' ? page : '');
});
app.listen(0, '127.0.0.1');
await once(app, 'listening');

const found = CHROMIUM ?? execFileSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], { encoding: 'utf8' }).trim();
const browser = await chromium.launch({ executablePath: found, args: ['--no-sandbox'] });
try {
  const tab = await browser.newPage();
  tab.setDefaultTimeout(ANSWER_MS_MAX);
  const wire = await listen(tab);
  await tab.goto(`http://127.0.0.1:${app.address().port}/`);
  await play(tab, wire);
} finally {
  await browser.close();
  app.close();
}

/** A longer list comes compressed to whoever does not have it, and is known by the validator of that form. */
async function playForms(first, ofFirst) {
  const browser = first.context().browser();
  const read = async (tab, wire) => {
    const before = wire.length;
    const data = await tab.evaluate(() => homes());
    await until(() => wire.length > before);
    return { data, ...wire.at(-1) };
  };
  const plain = await read(first, ofFirst);
  for (const end = Date.now() + ANSWER_MS_MAX; Date.now() < end; ) {
    const context = await browser.newContext(); // somebody else, who has nothing yet
    const tab = await context.newPage();
    const wire = await listen(tab);
    await tab.goto(first.url());
    const coded = await read(tab, wire);
    assert.deepEqual(coded.data, plain.data);
    if (coded.status === 200 && coded.coding) {
      const again = await read(tab, wire);
      assert.deepEqual([again.status, again.etag], [304, coded.etag]);
      assert.deepEqual(again.data, plain.data);
      assert.notEqual(coded.etag, plain.etag);
      ofFirst.push(...wire);
      await context.close();
      return;
    }
    await context.close();
  }
  assert.fail('no answer came compressed');
}

/** Statuses and sizes of reads as they came over the wire, before the browser's own cache makes 200 of a 304. */
async function listen(tab) {
  const wire = [];
  const session = await tab.context().newCDPSession(tab);
  // what was asked and what came over the wire are told in either order
  const [reads, answers] = [new Set(), new Map()];
  const note = (requestId) => {
    if (!reads.has(requestId) || !answers.has(requestId)) return;
    wire.push(answers.get(requestId));
    answers.delete(requestId);
  };
  session.on('Network.requestWillBeSent', ({ requestId, request }) => {
    if (request.method !== 'GET' || !request.url.includes('/rest/v1/')) return;
    reads.add(requestId);
    note(requestId);
  });
  session.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode, headers }) => {
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    answers.set(requestId, { status: statusCode, cacheStatus: lower['cache-status'], etag: lower.etag, coding: lower['content-encoding'] });
    note(requestId);
  });
  await session.send('Network.enable');
  return wire;
}

async function until(isSo) {
  for (const end = Date.now() + ANSWER_MS_MAX; !isSo() && Date.now() < end; ) await pause(1);
}

async function play(tab, wire) {
  const list = async () => {
    const before = wire.length;
    const answer = await tab.evaluate(() => list());
    await until(() => wire.length > before);
    assert.equal(wire.length, before + 1, 'one read, one answer');
    return { ...answer, ...wire.at(-1) };
  };

  await list(); // fetched: whether the whole was there when its head was sent, nobody knows
  const fresh = await list();
  for (let times = 0; times < 3; times += 1) {
    const again = await list();
    assert.equal(again.status, 304, 'the browser asks whether what it has still holds');
    assert.match(again.cacheStatus, /hit/);
    assert.deepEqual([again.data, again.count], [fresh.data, fresh.count], 'and the app sees it as ever');
  }

  const service = createClient(THROUGH, secretKey, { auth: { persistSession: false } });
  const row = { id: 9_001, label: 'seen in a browser' };
  assert.equal((await service.from('amenities').insert(row)).error, null);
  const after = await list();
  assert.equal(after.status, 200, 'what a write changed is sent');
  assert.equal(after.count, fresh.count + 1);
  assert.ok(after.data.some(({ label }) => label === row.label), 'the page sees the new row at once');

  let settled = await list();
  if (settled.status === 200) settled = await list();
  assert.equal(settled.status, 304, 'and has it from then on');
  assert.deepEqual([settled.data, settled.count], [after.data, after.count]);

  // another page of the same browser finds it too
  await tab.reload();
  const reloaded = await list();
  assert.equal(reloaded.status, 304);
  assert.deepEqual(reloaded.data, after.data);

  await playForms(tab, wire);

  for (const { status, cacheStatus, etag, coding } of wire) console.log(status, cacheStatus, etag ?? '-', coding ?? 'identity');
}
