// Stories of a proxy that asks for no token.

const EVIL = '<img src=x onerror="window.harmed=true">';

const row = (page, table, words) => page.locator(`#${table} tbody tr`).filter({ hasText: words });

async function opened({ newWindow, ADMIN }, options) {
  const opened = await newWindow(options);
  await opened.page.goto(ADMIN);
  await opened.page.locator('#state', { hasText: 'ready' }).waitFor();
  return opened;
}

export const open = {
  async 'loads without complaint, from nowhere else'(tools) {
    const { assert, ADMIN } = tools;
    const { page, seen, close } = await opened(tools);
    await page.locator('#limits tbody tr', { hasText: 'No rule limits' }).waitFor();
    assert.deepEqual(seen.complaints, []);
    const elsewhere = seen.requests.map((request) => request.url()).filter((url) => !url.startsWith(ADMIN) && !url.startsWith('data:'));
    assert.deepEqual(elsewhere, []);
    assert.ok(seen.requests.length >= 4, 'the page, the stream, locks and limits');
    // the policy holds: neither another script nor another address
    const refused = await page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'window.harmed = true';
      document.body.append(script);
      const asked = await fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused');
      return [window.harmed, asked];
    });
    assert.deepEqual(refused, [undefined, 'refused']);
    assert.ok(seen.complaints.some((text) => text.includes('Content Security Policy') || text.includes('Content-Security-Policy')), `${seen.complaints}`);
    await close();
  },

  async 'numbers move under traffic'(tools) {
    const { assert, client, until } = tools;
    const { page, close } = await opened(tools);
    assert.match(await client('/rest/v1/todos?id=eq.1'), /fwd=miss/);
    for (let nth = 0; nth < 400; nth += 1) assert.match(await client('/rest/v1/todos?id=eq.1'), /; hit;/);
    await row(page, 'rules', /^todo\s*400\s*1/).or(row(page, 'rules', 'todo400199.8 %')).first().waitFor();
    const cells = await page.locator('#rules tbody tr').first().locator('td').allInnerTexts();
    assert.deepEqual(cells.slice(0, 3), ['todo', '400', '1']);
    assert.match(cells[3], /99\.75? %|99\.8 %/);
    assert.equal(await page.locator('#tile-saved').innerText(), '400');
    const hot = await row(page, 'hot', 'todos:detail:1').locator('td').nth(1).innerText();
    assert.ok(Number(hot) > 100 && Number(hot) < 1200, `about 400 hits: ${hot}`);
    assert.match(await row(page, 'missed', 'todos:detail:1').innerText(), /1\s+new/);
    await until('a hit takes microseconds', async () => /µs|ms/.test(await page.locator('#tile-hit').innerText()));
    const rate = await page.locator('#plot-rate .legend b').innerText();
    assert.match(rate, /^(9\d\.\d+|100\.0) %$|^–$/);
    const drawn = await page.locator('#plot-requests path.area.hit').getAttribute('d');
    assert.ok(drawn.length > 20, 'a plot has a line');
    await close();
  },

  async 'a write shows, with what it took away and why the next read misses'(tools) {
    const { assert, client } = tools;
    const { page, close } = await opened(tools);
    await client('/rest/v1/todos?id=eq.2');
    assert.match(await client('/rest/v1/todos?id=eq.2', { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{"done":true}' }), /invalidated/);
    assert.match(await client('/rest/v1/todos?id=eq.2'), /fwd=miss/);
    const change = row(page, 'changes', 'todos:detail:{id}#=2');
    await change.waitFor();
    assert.match(await change.first().innerText(), /write[\s\S]*µs|ms/);
    await row(page, 'missed', 'todos:detail:2').filter({ hasText: 'taken away' }).waitFor();
    await close();
  },

  async 'a request is explained'(tools) {
    const { assert } = tools;
    const { page, seen, close } = await opened(tools);
    await page.getByLabel('Path and query').fill('/rest/v1/todos?id=eq.5');
    await page.keyboard.press('Enter');
    const told = page.locator('#explained');
    await told.getByText('A read that rule “todo” wants kept.').waitFor();
    assert.match(await told.innerText(), /todos:detail:5/);
    await page.getByLabel('Method').selectOption('PATCH');
    await page.getByRole('button', { name: 'Explain' }).click();
    await told.getByText('“todo-changed”').waitFor();
    await page.getByText('Headers and body').click();
    await page.getByLabel('Headers, one a line').fill('apikey: canary-of-a-key\nprefer: count=exact');
    await page.getByLabel('Method').selectOption('GET');
    await page.getByRole('button', { name: 'Explain' }).click();
    await told.getByText('A read that rule “todo” wants kept.').waitFor();
    assert.ok(!(await told.innerText()).includes('canary'), 'no key is shown');
    assert.deepEqual(seen.complaints, []);
    await page.getByLabel('Path and query').fill('not a path');
    await page.getByRole('button', { name: 'Explain' }).click();
    await told.getByText('Not explained').waitFor();
    await close();
  },

  async 'a purge asks first, and then the next read misses'(tools) {
    const { assert, client } = tools;
    const { page, close } = await opened(tools);
    await client('/rest/v1/todos?id=eq.3');
    assert.match(await client('/rest/v1/todos?id=eq.3'), /; hit;/);
    const purge = page.locator('#search').getByRole('button', { name: 'Purge' });
    await page.getByLabel('Key or pattern').fill('todos:detail:3');
    await purge.click();
    await page.locator('#sure').getByRole('button', { name: 'Keep' }).click();
    assert.match(await client('/rest/v1/todos?id=eq.3'), /; hit;/, 'kept');
    await purge.click();
    await page.locator('#sure').getByRole('button', { name: 'Purge' }).click();
    await page.locator('#said', { hasText: 'Purged: todos:detail:3 (1 tag)' }).waitFor();
    assert.match(await client('/rest/v1/todos?id=eq.3'), /fwd=miss/);
    await row(page, 'changes', 'key:todos:detail:3').filter({ hasText: 'operator' }).waitFor();

    // from the list of the hottest, with the keyboard
    for (let nth = 0; nth < 100; nth += 1) await client('/rest/v1/todos?id=eq.4');
    await page.getByRole('button', { name: 'Purge todos:detail:4' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#said', { hasText: 'Purged: todos:detail:4' }).waitFor();
    assert.match(await client('/rest/v1/todos?id=eq.4'), /fwd=miss/);

    await page.getByLabel('Key or pattern').fill('todos:li*');
    await purge.click();
    await page.locator('#sure').getByRole('button', { name: 'Purge' }).click();
    await page.locator('#said', { hasText: 'Not purged: no write rule names the pattern' }).waitFor();
    await close();
  },

  async 'entries are found by pattern, and purged from the list'(tools) {
    const { assert, client } = tools;
    const { page, close } = await opened(tools);
    await client('/rest/v1/todos?id=eq.6');
    await page.getByLabel('Key or pattern').fill('todos:detail:6');
    await page.getByRole('button', { name: 'Search' }).click();
    const found = row(page, 'entries', 'todos:detail:6');
    await found.waitFor();
    assert.match(await found.innerText(), /todos:detail:6\s+(1 min|\d\d s)\s+\d.*s\s+\d+ B\s+\d+\s+yes/);
    assert.match(await client('/rest/v1/todos?id=eq.6'), /; hit;/);
    await found.getByRole('button', { name: 'Purge todos:detail:6' }).click();
    await page.locator('#sure').getByRole('button', { name: 'Purge' }).click();
    await page.locator('#said', { hasText: 'Purged: todos:detail:6' }).waitFor();
    assert.match(await client('/rest/v1/todos?id=eq.6'), /fwd=miss/);
    await page.getByLabel('Key or pattern').fill('nothing:*');
    await page.getByRole('button', { name: 'Search' }).click();
    await row(page, 'entries', 'No entry is called that').waitFor();
    await close();
  },

  async 'what stands in a key is never markup'(tools) {
    const { assert, client, newWindow, ADMIN } = tools;
    await client(`/rest/v1/todos?title=eq.${encodeURIComponent(EVIL)}`);
    const { page, close } = await opened(tools);
    await row(page, 'missed', 'onerror').waitFor();
    await page.getByLabel('Path and query').fill(`/rest/v1/todos?title=eq.${encodeURIComponent(EVIL)}`);
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#explained').getByText('onerror').first().waitFor();
    assert.deepEqual(await page.evaluate(() => [window.harmed, document.images.length]), [undefined, 0]);
    await close();

    // even if the proxy escaped nothing: every text of the stream is such a text
    const other = await newWindow();
    await other.page.route('**/api/live', async (route) => {
      const source = await fetch(`${ADMIN}/api/live`);
      const { value } = await source.body.getReader().read();
      const hello = new TextDecoder().decode(value);
      const told = JSON.parse(hello.split('data: ')[1]);
      const evil = { key: EVIL, times: 3, reasons: [[EVIL, 3]] };
      Object.assign(told, { version: EVIL, hot: [evil], missed: [evil], guarded: [[EVIL, EVIL, 1]], changes: [{ n: 1, t: 1, why: EVIL, tags: 9, named: [EVIL], took_us: 1 }] });
      Object.assign(told.fleet, { store: EVIL, members: [{ id: EVIL, lease_ms: EVIL, self: false }] });
      told.stats.rules = [{ rule: EVIL, hits: 1, misses: 1, hit_rate: 0.5 }, { rule: EVIL, hits: 0, misses: 0, hit_rate: null }];
      await route.fulfill({ contentType: 'text/event-stream', body: `event: hello\ndata: ${JSON.stringify(told)}\n\n` });
    });
    await other.page.goto(ADMIN);
    for (const table of ['hot', 'missed', 'guarded', 'changes', 'members', 'rules']) await row(other.page, table === 'guarded' ? 'guards' : table, 'onerror').first().waitFor();
    assert.deepEqual(await other.page.evaluate(() => [window.harmed, document.images.length]), [undefined, 0]);
    await other.close();
  },

  async 'everything can be reached and read without a pointer or colours'(tools) {
    const { assert } = tools;
    const { page, close } = await opened(tools);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the figures');
    const plot = page.getByRole('img', { name: 'Requests' });
    await plot.focus();
    await page.keyboard.press('ArrowLeft');
    await page.locator('#plot-requests .legend li').first().filter({ hasText: /^\d\d:\d\d:\d\d$/ }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#plot-requests summary').click();
    // a plot is a table, too
    await page.locator('#plot-requests table tbody tr').first().waitFor();
    const unnamed = await page.evaluate(() => {
      const named = (element) => element.labels?.length || element.ariaLabel || element.getAttribute('aria-labelledby') || element.textContent.trim();
      const all = [...document.querySelectorAll('input, select, textarea, button, svg[role], [role=region]')];
      return all.filter((element) => !named(element)).map((element) => element.outerHTML.slice(0, 80));
    });
    assert.deepEqual(unnamed, []);
    const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map((element) => element.id));
    assert.equal(new Set(ids).size, ids.length, 'every id once');
    await close();
  },

  async 'fits a telephone and a dark room'(tools) {
    const { assert, client, shot } = tools;
    await client(`/rest/v1/todos?select=id&title=eq.${'long'.repeat(60)}`);
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [320, 360, 768, 1280]) {
        const { page, close } = await opened(tools, { colorScheme, viewport: { width, height: 800 } });
        await row(page, 'missed', 'long').waitFor();
        const wide = await page.evaluate(() => [...document.querySelectorAll('body *')].filter((element) => !element.closest('.scroll, .hidden, .skip, dialog') && element.getBoundingClientRect().right > innerWidth + 1).map((element) => element.outerHTML.slice(0, 80)));
        assert.deepEqual(wide, [], `at ${width}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `it scrolls sideways at ${width}`);
        const contrast = await page.evaluate(contrasts);
        assert.deepEqual(contrast.filter(({ ratio }) => ratio < 4.5), [], `${colorScheme}: hard to read`);
        if ([360, 1280].includes(width)) await shot(page, `${colorScheme}-${width}`, { fullPage: true });
        await close();
      }
    }
  },
};

/** The contrast of text with its ground, where there is text. Runs in the page. */
function contrasts() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('h1, h2, h3, p, th, td, dt, dd, button, label, li, summary')].filter((element) => element.checkVisibility() && element.textContent.trim());
  return texts.map((element) => {
    const [one, other] = [light(channels(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    return { text: element.textContent.trim().slice(0, 30), ratio: (one + 0.05) / (other + 0.05) };
  });
}
