// Plays the client against a running Larder: LARDER_ADMIN_URL and LARDER_ADMIN_TOKEN name it.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LarderError, LockBusyError, createLarder } from './index.js';

const larder = createLarder();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('fifty at once are one after the other, and none is lost', async () => {
  let inside = 0;
  let done = 0;
  const one = () =>
    larder.withLock(
      'counter',
      async () => {
        inside += 1;
        assert.equal(inside, 1, 'nobody else is inside');
        await pause(2);
        inside -= 1;
        done += 1;
      },
      { retries: 5000, retryDelay: 5 },
    );
  await Promise.all(Array.from({ length: 50 }, one));
  assert.equal(done, 50);
});

test('a second click is refused while the first is under way', async () => {
  let release;
  const first = larder.withLock('payment:5', () => new Promise((resolve) => (release = resolve)));
  while (!(await larder.isLocked('payment:5'))) await pause(5);
  await assert.rejects(
    larder.withLock('payment:05', () => assert.fail('must not run')),
    (error) => error instanceof LockBusyError && error.message === 'operation already in progress',
  );
  assert.equal(await larder.acquireLock('payment:5', { retries: 1, retryDelay: 1 }), null);
  while (!release) await pause(5);
  release('paid');
  assert.equal(await first, 'paid');
  assert.equal(await larder.isLocked('payment:5'), false);
});

test('what fails inside is thrown, and the lock is free', async () => {
  await assert.rejects(larder.withLock('a', () => { throw new Error('no money'); }), { message: 'no money' });
  assert.equal(await larder.isLocked('a'), false);
});

test('fences rise, and only the holder releases', async () => {
  const first = await larder.acquireLock('b');
  assert.equal(await larder.releaseLock({ ...first, token: '0'.repeat(32) }), false);
  assert.equal(await larder.renewLock(first), true);
  assert.equal(await larder.releaseLock(first), true);
  assert.equal(await larder.releaseLock(first), false);
  const second = await larder.acquireLock('b', { expireSeconds: 1 });
  assert.ok(Number.isSafeInteger(second.fence) && second.fence > first.fence);
});

test('work that takes longer than the lock is held for keeps it', async () => {
  const work = larder.withLock('c', (_, signal) => pause(2200).then(() => signal.aborted), { expireSeconds: 1 });
  await pause(1500);
  assert.equal(await larder.isLocked('c'), true);
  assert.equal(await work, false, 'it was not lost');
});

test('whoever loses the lock hears of it', async () => {
  const heard = await larder.withLock('d', async (lock, signal) => {
    await larder.releaseLock(lock);
    while (!signal.aborted) await pause(20);
    return signal.reason.message;
  }, { expireSeconds: 1 });
  assert.equal(heard, 'the lock d was lost');
});

test('what is named disappears, and what cannot be named is refused', async () => {
  const generations = async () => {
    const headers = { authorization: `Bearer ${process.env.LARDER_ADMIN_TOKEN}` };
    const text = await (await fetch(new URL('/metrics', process.env.LARDER_ADMIN_URL), { headers })).text();
    return Number(/^larder_invalidated_tags_total (\d+)$/m.exec(text)[1]);
  };
  const before = await generations();
  await larder.invalidate('properties:detail:5');
  await larder.invalidate(['properties:detail:5', 'properties:detail:6']);
  await larder.invalidate('properties:*');
  await larder.invalidate({ namespace: 'homepage' });
  await larder.invalidate({ all: true });
  await larder.invalidate([]);
  assert.equal((await generations()) - before, 6);
  await assert.rejects(larder.invalidate('properties:nobody*'), { name: 'LarderError', status: 400 });
  await assert.rejects(larder.invalidate({}), { name: 'LarderError', status: 400 });
});

test('mistakes say what is wrong', async () => {
  await assert.rejects(larder.acquireLock('e', { expireSeconds: 7200 }), { name: 'LarderError', status: 400 });
  await assert.rejects(createLarder({ token: 'not the one that is set' }).isLocked('e'), { status: 401 });
  const nobody = createLarder({ url: 'http://127.0.0.1:9' });
  await assert.rejects(nobody.isLocked('e'), (error) => error instanceof LarderError && error.status === 0);
});
