
// The stream, the tables, and what an operator can do.

const TOKEN = 'larder-admin-token';
const CHANGES_MAX = 200;
const FRAMES_MAX = 600;
const RETRY_AFTER_MAX = 10_000;
const id = (name) => document.getElementById(name);
const view = { frames: [], changes: [], state: null };

// --- asking -----------------------------------------------------------------------------------

// The token goes in a header, never in an address: addresses are logged.
const credentials = () => {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { authorization: `Bearer ${token}` } : {};
};

let asking = null;

// One question at a time, however many requests were refused.
function askForToken() {
  asking ||= new Promise((resolve) => {
    const wrong = sessionStorage.getItem(TOKEN) !== null;
    const dialog = id('login');
    if (wrong) id('login-said').textContent = 'That was not it. It is what LARDER_ADMIN_TOKEN was set to.';
    dialog.showModal();
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    id('login-form').onsubmit = () => {
      const input = id('login-form').elements.token;
      sessionStorage.setItem(TOKEN, input.value);
      input.value = '';
      asking = null;
      resolve();
    };
  });
  return asking;
}

async function ask(path, options = {}) {
  for (;;) {
    const sent = credentials();
    const response = await fetch(path, { ...options, cache: 'no-store', headers: { ...options.headers, ...sent } });
    if (response.status !== 401) return response;
    // another request may have asked meanwhile
    if (credentials().authorization === sent.authorization) await askForToken();
  }
}

async function askJson(path, body) {
  const options = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await ask(path, options);
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error([told.message || `status ${response.status}`, told.hint].filter(Boolean).join(': ')), { status: response.status });
  return told;
}

let silence;
function say(text) {
  const said = id('said');
  said.textContent = text;
  said.hidden = false;
  clearTimeout(silence);
  silence = setTimeout(() => { said.hidden = true; }, 6000);
}

// --- the stream -------------------------------------------------------------------------------

let stream = null;

async function listen() {
  let wait = 500;
  for (;;) {
    if (document.hidden) await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
    if (document.hidden) continue;
    stream = new AbortController();
    try {
      const response = await ask('api/live', { signal: stream.signal });
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).message || `status ${response.status}`);
      wait = 500;
      await read(response.body);
    } catch (error) {
      if (!document.hidden) pill('bad', error instanceof TypeError ? 'no answer' : error.message);
    }
    if (!document.hidden) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, RETRY_AFTER_MAX);
    }
  }
}

document.addEventListener('visibilitychange', () => { if (document.hidden && stream) stream.abort(); });

// Reads until it ends or we are told that we missed something.
async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split('\n\n');
    rest = events.pop();
    for (const text of events) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(text) || [];
      if (name === 'late') {
        await reader.cancel();
        return;
      }
      if (name) take(name, JSON.parse(data));
    }
  }
}

function take(name, told) {
  view.state = told;
  if (name === 'hello') [view.frames, view.changes] = [told.frames, []];
  else view.frames.push(told.frame);
  view.frames.splice(0, view.frames.length - FRAMES_MAX);
  const last = view.changes.length ? view.changes[0].n : 0;
  view.changes.unshift(...told.changes.filter((change) => change.n > last).reverse());
  view.changes.length = Math.min(view.changes.length, CHANGES_MAX);
  show();
}

// --- showing ----------------------------------------------------------------------------------

const GROUPS = ['hit', 'joined', 'miss', 'pass', 'write', 'refused'];
const of = (group) => (frame) => frame.rates[GROUPS.indexOf(group)];
const reads = (frame) => of('hit')(frame) + of('joined')(frame) + of('miss')(frame);
const quantile = (field) => (frame, choice) => frame[field] && frame[field][['p50', 'p95', 'p99'].indexOf(choice)];

const plots = [
  { id: 'plot-rate', title: 'Hit rate', note: 'of reads that a rule wants kept', unit: format.percent, max: 1, series: [{ name: 'hits', look: 'hit', of: (frame) => (reads(frame) > 0 ? of('hit')(frame) / reads(frame) : null) }] },
  {
    id: 'plot-requests', title: 'Requests', note: 'a second, by outcome', unit: format.count, stacked: true, series: [
      { name: 'hit', look: 'hit', of: of('hit') }, { name: 'joined another', look: 'joined', of: of('joined') }, { name: 'miss', look: 'miss', of: of('miss') },
      { name: 'passed through', look: 'pass', of: of('pass') }, { name: 'write', look: 'write', of: of('write') }, { name: 'refused', look: 'refused', of: of('refused') }],
  },
  {
    id: 'plot-latency', title: 'Latency', note: 'until the head of the answer', unit: format.micros, log: 10, least: 1000, choices: ['p50', 'p95', 'p99'], series: [
      { name: 'hits', look: 'hit', of: quantile('hit_us') }, { name: 'misses', look: 'miss', of: quantile('miss_us') }, { name: 'Supabase', look: 'upstream', of: quantile('upstream_us') }],
  },
  {
    id: 'plot-saved', title: 'Kept off Supabase', note: 'a second', unit: (value, choice) => format[choice === 'bytes' ? 'bytes' : 'count'](value), stacked: true, choices: ['requests', 'bytes'], series: [
      { name: 'kept off', look: 'hit', of: (frame, choice) => (choice === 'bytes' ? frame.saved : of('hit')(frame) + of('joined')(frame)) },
      { name: 'sent to Supabase', look: 'upstream', of: (frame, choice) => (choice === 'bytes' ? null : frame.upstream) }],
  },
].map((spec) => new Plot(spec));
id('plots').append(...plots.map((plot) => plot.element));

function pill(kind, text) {
  const state = id('state');
  if (state.textContent !== text) state.textContent = text;
  state.className = `pill ${kind}`;
}

const text = (name, value) => { id(name).textContent = value; };
const cell = (value, kind = 'n') => h('td', { class: kind }, value);

function fill(name, rows, empty) {
  const body = id(name).tBodies[0];
  const columns = id(name).tHead.rows[0].cells.length;
  // what is about to be pressed stays where it is
  if (body.contains(document.activeElement) || body.querySelector('button:hover')) return;
  body.replaceChildren(...(rows.length ? rows.map((cells) => h('tr', {}, ...cells)) : [h('tr', {}, h('td', { class: 'none', colspan: columns }, empty))]));
}

function show() {
  const { state } = view;
  const range = Number(id('range').value);
  const newest = view.frames.length ? view.frames[view.frames.length - 1].t : 0;
  const shown = view.frames.filter((frame) => frame.t > newest - range * 1000);
  plots.forEach((plot) => plot.show(shown, range));
  const { status, rules, store } = state.ready;
  if (status !== 'ready') pill('warn', status);
  else if (store === 'degraded') pill('warn', 'store degraded');
  else if (rules !== 'in use') pill('warn', 'rules refused');
  else pill('good', 'ready');
  text('about', `${state.version}, up ${format.seconds(state.up_s)}`);
  showTiles(state, view.frames.filter((frame) => frame.t > newest - 60_000));
  showRules(state);
  showKeys(state);
  showChanges();
  showGuards(state);
  showFleet(state);
}

function showTiles({ stats }, minute) {
  const sum = (value) => minute.reduce((all, frame) => all + value(frame), 0);
  const read = sum(reads);
  text('tile-rate', read > 0 ? format.percent(sum(of('hit')) / read) : '–');
  text('tile-rate-note', stats.hit_rate === null ? 'of the last minute' : `last minute; ${format.percent(stats.hit_rate)} since the start`);
  text('tile-requests', minute.length ? format.count(sum((frame) => frame.rates.reduce((all, rate) => all + rate, 0)) / minute.length) : '–');
  text('tile-saved', format.count(stats.hits));
  text('tile-saved-note', `requests, ${format.bytes(stats.bytes_saved)} since the start`);
  const timed = minute.filter((frame) => frame.hit_us);
  const last = timed[timed.length - 1];
  text('tile-hit', last ? format.micros(last.hit_us[0]) : '–');
  text('tile-hit-note', last && last.upstream_us ? `median; Supabase ${format.micros(last.upstream_us[0])}` : 'at the median');
  text('tile-memory', format.count(stats.keys));
  text('tile-memory-note', `entries, ${format.bytes(stats.memory)} of ${format.bytes(stats.memory_max)}${stats.evictions ? `, ${format.count(stats.evictions)} pushed out` : ''}`);
}

function showRules({ stats, waited_s: waited }) {
  const used = stats.rules.filter(({ hits, misses }) => hits + misses > 0);
  const idle = stats.rules.filter((rule) => !used.includes(rule)).map(({ rule }) => rule);
  const rules = used.sort((one, other) => (waited[other.rule] || 0) - (waited[one.rule] || 0) || other.hits - one.hits);
  fill('rules', rules.map(({ rule, hits, misses, hit_rate: rate }) => [
    cell(rule, 'key'), cell(format.count(hits)), cell(format.count(misses)),
    h('td', { class: 'n' }, rate === null ? '–' : h('meter', { min: 0, max: 1, value: rate, 'aria-hidden': 'true' }), rate === null ? '' : format.percent(rate)),
    cell(waited[rule] ? format.seconds(waited[rule]) : '–'), cell(waited[rule] && misses ? format.seconds(waited[rule] / misses) : '–'),
  ]), 'No read rule has been used yet.');
  text('idle', used.length && idle.length ? `Not used yet: ${idle.join(', ')}.` : '');
  const largest = [...stats.namespaces].sort((one, other) => other.memory - one.memory);
  fill('namespaces', largest.map(({ namespace, keys, memory, hit_rate: rate }) => [
    cell(namespace, 'key'), cell(rate === null ? '–' : format.percent(rate)), cell(format.count(keys)), cell(format.bytes(memory)),
  ]), 'Nothing has been read yet.');
}

function showKeys({ hot, missed }) {
  fill('hot', hot.map(({ key, times }) => [cell(key, 'key'), cell(format.count(times)), h('td', { class: 'n' }, purgeButton(key))]), 'No hits in the last minutes.');
  fill('missed', missed.map(({ key, times, reasons }) => {
    const ordered = [...reasons].sort((one, other) => other[1] - one[1]);
    const why = ordered.map(([reason, count]) => (ordered.length > 1 ? `${reason} ${format.count(count)}` : reason)).join(', ');
    return [cell(key, 'key'), cell(format.count(times)), cell(why, '')];
  }), 'No misses in the last minutes.');
}

function showChanges() {
  fill('changes', view.changes.map(({ t, why, tags, named, took_us: took }) => [
    cell(format.clock(t), ''), cell(why, ''), cell(format.count(tags)),
    h('td', { class: 'tags' }, ...named.map((tag) => h('span', {}, tag)), tags > named.length ? ` and ${tags - named.length} more` : ''), cell(format.micros(took)),
  ]), 'Nothing was taken away yet.');
}

function showGuards({ guarded }) {
  fill('guards', guarded.map(([what, result, times]) => [cell(what, ''), cell(result, ''), cell(format.count(times))]), 'No lock, operation or limit has been at work.');
}

function pairs(list, entries) {
  list.replaceChildren(...entries.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
}

function showFleet({ fleet, stats }) {
  if (fleet.store === 'memory') pairs(id('store'), [['Store', 'memory, of this proxy alone']]);
  else {
    pairs(id('store'), [
      ['Store', fleet.store], ['Asked', `${format.count(fleet.look_ups)} times, ${format.count(fleet.hits)} hits, ${format.count(fleet.failures)} failures`],
      ['Owed to it', `${fleet.owed} changes`], ['Not believed', `${fleet.rejected_records} records`], ['Not taken', `${fleet.lost_fills} entries`],
      ['Unannounced', `${fleet.unannounced} writes`],
    ]);
  }
  id('members').hidden = fleet.members.length === 0;
  fill('members', fleet.members.map((member) => [cell(member.self ? `${member.id} (this one)` : member.id, 'key'), cell(`${member.lease_ms} ms`)]), '');
  text('fleet-title', fleet.members.length > 1 ? `Store and fleet of ${fleet.members.length}` : 'Store and fleet');
}

// Locks are asked of the store, so they are looked at less often, and not while nobody looks.
async function showHeld() {
  if (!document.hidden && view.state) {
    try {
      const [{ locks }, { limits }] = [await askJson('api/locks'), await askJson('api/limits')];
      fill('locks', locks.map(({ key, fence, expires_in: left }) => [cell(key, 'key'), cell(fence), cell(format.seconds(left))]), 'Nobody holds a lock.');
      fill('limits', limits.map(({ name, by, rate, window_seconds: window }) => [cell(name, 'key'), cell(by, ''), cell(`${format.count(rate)} in ${format.seconds(window)}`)]), 'No rule limits anybody.');
    } catch (error) {
      fill('locks', [], `Not known: ${error.message}`);
    }
  }
  setTimeout(showHeld, view.state ? 5000 : 250);
}

// --- doing ------------------------------------------------------------------------------------

function sure(what, note) {
  const dialog = id('sure');
  text('sure-what', what);
  text('sure-note', note);
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}

async function purge(order, what) {
  if (!(await sure(what, 'Whoever asks next waits for Supabase. Other proxies that share the store let it go, too.'))) return false;
  try {
    const { cleared, warnings } = await askJson('api/cache/clear', order);
    say([`Purged: ${what} (${cleared.tags} ${cleared.tags === 1 ? 'tag' : 'tags'})`, ...(warnings || [])].join('. '));
    return true;
  } catch (error) {
    say(`Not purged: ${error.message}`);
    return false;
  }
}

const purgeButton = (key, done) => h('button', { type: 'button', class: 'danger', 'aria-label': `Purge ${key}`, onclick: async (event) => { event.target.blur(); if ((await purge({ key }, key)) && done) done(); } }, 'Purge');

const SENTENCES = {
  read: ({ rule }) => `A read that rule “${rule.name}” wants kept.`,
  write: ({ rules }) => (rules.length ? `A write, seen to by ${rules.map((rule) => `“${rule.name}”`).join(', ')}.` : 'A write that no rule mentions: what it changes is derived.'),
  pass: ({ sentence }) => `Passed through, uncached: ${sentence}`,
  refused: ({ sentence }) => `Refused: ${sentence}`,
};

const isEmpty = (value) => value === '' || value === null || (Array.isArray(value) && value.length === 0);
const words = (name) => name.replaceAll('_', ' ');
function told(value) {
  if (Array.isArray(value)) return h('ul', {}, ...value.map((item) => h('li', {}, h('code', {}, item.name ?? String(item)), item.note ? ` ${item.note}` : item.match ? ` on ${item.match}` : '')));
  if (value && typeof value === 'object') return h('span', {}, h('code', {}, value.name ?? JSON.stringify(value)), value.match ? ` on ${value.match}` : '');
  return h('code', {}, String(value));
}

id('explain').addEventListener('submit', async (event) => {
  event.preventDefault();
  const { method, target, headers, body } = event.target.elements;
  const question = { method: method.value, target: target.value };
  question.headers = {};
  for (const line of headers.value.split('\n').filter((line) => line.trim())) {
    const [name, ...value] = line.split(':');
    (question.headers[name.trim().toLowerCase()] ||= []).push(value.join(':').trim());
  }
  if (body.value) question.body = body.value;
  try {
    const { outcome, method: asked, target: shown, ...rest } = await askJson('api/explain', question);
    const list = h('dl', {}, ...Object.entries(rest).filter(([, value]) => !isEmpty(value)).flatMap(([name, value]) => [h('dt', {}, words(name)), h('dd', {}, told(value))]));
    const again = outcome === 'read' ? h('p', {}, purgeButton(rest.key)) : '';
    id('explained').replaceChildren(h('p', { class: 'outcome' }, SENTENCES[outcome](rest)), h('p', { class: 'quiet' }, h('code', {}, `${asked} ${shown}`)), list, again);
  } catch (error) {
    id('explained').replaceChildren(h('p', { class: 'outcome' }, `Not explained: ${error.message}`));
  }
});

let found = { pattern: '', cursor: null, rows: [] };

async function search(pattern, cursor) {
  try {
    const query = new URLSearchParams({ pattern: pattern || '*', limit: 50, ...(cursor ? { cursor } : {}) });
    const { entries, cursor: next } = await askJson(`api/cache/entries?${query}`);
    found = { pattern, cursor: next, rows: [...(cursor ? found.rows : []), ...entries] };
  } catch (error) {
    say(`Not searched: ${error.message}`);
    return;
  }
  showFound();
}

// An entry that is not stays where it is until it is met or pushed out; nobody is answered from it.
const VALID = new Map([[true, 'yes'], [false, 'no: taken away']]);

function showFound() {
  id('entries').hidden = false;
  id('more').hidden = !found.cursor;
  fill('entries', found.rows.map((entry) => [
    cell(entry.key, 'key'), cell(format.seconds(entry.ttl)), cell(format.seconds(entry.age)), cell(format.bytes(entry.bytes)), cell(entry.hits === null ? '-' : format.count(entry.hits)), cell(VALID.get(entry.valid) ?? 'not known', ''),
    h('td', { class: 'n' }, purgeButton(entry.key, () => { found.rows = found.rows.filter(({ key }) => key !== entry.key); showFound(); })),
  ]), 'No entry is called that.');
}

id('search').addEventListener('submit', (event) => {
  event.preventDefault();
  search(event.target.elements.pattern.value.trim());
});
id('more').addEventListener('click', () => search(found.pattern, found.cursor));
id('purge').addEventListener('click', async () => {
  const pattern = id('search').elements.pattern.value.trim() || '*';
  if (await purge(pattern === '*' ? { all: true } : { pattern }, pattern === '*' ? 'every entry' : pattern)) {
    if (!id('entries').hidden) search(pattern);
  }
});
id('range').addEventListener('change', () => { if (view.state) show(); });

listen();
showHeld();
