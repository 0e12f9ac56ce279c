// Stories of a proxy that asks for a token.

const dialog = (page) => page.locator('#login');

async function offer(page, token) {
  await dialog(page).getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
}

export const guarded = {
  async 'asks for the token, again if it was wrong, and sends it in a header alone'(tools) {
    const { assert, newWindow, ADMIN, TOKEN, shot } = tools;
    const { page, seen, close } = await newWindow();
    await page.goto(ADMIN);
    await dialog(page).waitFor();
    await shot(page, 'token');
    assert.equal(await page.locator('#tile-rate').innerText(), '–', 'nothing is shown before');
    await offer(page, 'a token that is wrong');
    await dialog(page).getByText('That was not it').waitFor();
    await offer(page, TOKEN);
    await page.locator('#state', { hasText: 'ready' }).waitFor();
    await page.locator('#limits tbody tr', { hasText: 'No rule limits' }).waitFor();
    await page.getByLabel('Path and query').fill('/rest/v1/todos?id=eq.5');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#explained').getByText('“todo”').waitFor();

    const sent = await Promise.all(seen.requests.map(async (request) => [request.url(), await request.headerValue('authorization')]));
    assert.ok(sent.some(([, header]) => header === `Bearer ${TOKEN}`));
    assert.ok(sent.every(([url]) => !url.includes(TOKEN) && !url.includes('token')), `${sent.map(([url]) => url)}`);
    assert.ok(!(await page.content()).includes(TOKEN), 'it stands nowhere in the page');
    assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, '']);

    await page.reload();
    await page.locator('#state', { hasText: 'ready' }).waitFor();
    assert.equal(await dialog(page).isVisible(), false, 'this window remembers it');
    assert.deepEqual(seen.complaints.filter((text) => !text.includes('401')), []);
    await close();

    const other = await newWindow();
    await other.page.goto(ADMIN);
    await dialog(other.page).waitFor();
    await other.close();
  },
};
