// Does the stand-in answer the real client as Upstash does? node speak.mjs URL TOKEN
import assert from 'node:assert/strict';
import { Redis } from '@upstash/redis';

const [url, token] = process.argv.slice(2);
const plain = { automaticDeserialization: false, enableTelemetry: false, retry: false };
const redis = new Redis({ url, token, ...plain });
const unencoded = new Redis({ url, token, responseEncoding: false, ...plain });

assert.equal(await redis.set('text', 'ünïcode "quoted"', { px: 60_000 }), 'OK');
assert.equal(await redis.get('text'), 'ünïcode "quoted"');
assert.equal(await unencoded.get('text'), 'ünïcode "quoted"');
assert.equal(await redis.get('none'), null);
assert.equal(await redis.set('ok', 'OK'), 'OK');
assert.equal(await redis.get('ok'), 'OK', 'a value that looks like an answer');
assert.deepEqual(await redis.mget('text', 'none', 'ok'), ['ünïcode "quoted"', null, 'OK']);
assert.equal(await redis.ping(), 'PONG');
assert.equal(await redis.incr('count'), 1);
assert.ok((await redis.pttl('text')) > 0);
assert.equal(await redis.unlink('count', 'none'), 1);

const nested = 'return {KEYS[1], ARGV[1], {1, false}, 2}';
assert.deepEqual(await redis.eval(nested, ['k'], ['v']), ['k', 'v', [1, null], 2]);
const sha = await redis.scriptLoad(nested);
assert.deepEqual(await redis.evalsha(sha, ['k'], ['v']), ['k', 'v', [1, null], 2]);
await assert.rejects(redis.evalsha('0'.repeat(40), [], []), /NOSCRIPT/);

const pipeline = redis.pipeline();
pipeline.set('a', '1').get('a').mget('a', 'none');
assert.deepEqual(await pipeline.exec(), ['OK', '1', ['1', null]]);
const both = redis.multi();
both.incr('a').incr('a');
assert.deepEqual(await both.exec(), [2, 3]);

await assert.rejects(redis.hget('text', 'field'), /WRONGTYPE/);
await assert.rejects(new Redis({ url, token: 'wrong', ...plain }).get('text'), /Unauthorized|WRONGPASS/);

// bytes that are no text: as larder writes them, and as this client's own encoding reads them
const bytes = new Uint8Array([0xff, 0, 0x80, 0x0a]);
const headers = { Authorization: `Bearer ${token}`, 'Upstash-Encoding': 'base64' };
const written = await fetch(`${url}/SET/larder%3A%23%2F?PX=60000`, { method: 'POST', headers, body: bytes });
assert.deepEqual(await written.json(), { result: 'OK' });
const read = await fetch(url, { method: 'POST', headers, body: JSON.stringify(['GET', 'larder:#/']) });
assert.deepEqual(await read.json(), { result: Buffer.from(bytes).toString('base64') });
console.log('spoken');
