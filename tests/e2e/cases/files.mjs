// Storage: bytes go up and come down unchanged.
import { createHash } from 'node:crypto';
import { act } from '../case.mjs';

/** More than Larder ever keeps of one answer, and than fits any buffer on the way. */
const LARGE_BYTES = 5 * 1024 * 1024;
const large = Buffer.alloc(LARGE_BYTES, (() => { let seed = 'larder'; return Buffer.concat(Array.from({ length: 1024 }, () => createHash('sha256').update((seed += '.')).digest())); })());
const small = Buffer.from('une photo, "façade"\n');

const digest = async ({ data, error }) => ({
  error, bytes: data?.size ?? null, type: data?.type ?? null,
  sha256: data && createHash('sha256').update(Buffer.from(await data.arrayBuffer())).digest('hex'),
});
const photos = (side, who) => side[who].storage.from('photos');

export const files = [
  act('a bucket, by the service key', (side) => side.service.storage.createBucket('photos', { public: true })),
  act('a file is uploaded', (side) => photos(side, 'ann').upload('villa/facade.txt', small, { contentType: 'text/plain;charset=UTF-8' })),
  act('and comes down again', async (side) => digest(await photos(side, 'ann').download('villa/facade.txt'))),
  act('nobody uploads without signing in', (side) => photos(side, 'anon').upload('villa/forged.txt', small)),
  act('a large file is uploaded', (side) => photos(side, 'ann').upload('villa/large.bin', large, { contentType: 'application/octet-stream' })),
  act('a large file comes down', async (side) => digest(await photos(side, 'ann').download('villa/large.bin'))),
  act('a part of it', async (side) => {
    const { status, body } = await side.raw('/storage/v1/object/public/photos/villa/facade.txt', { headers: { range: 'bytes=4-8' } });
    return { status, body };
  }),
  act('a public address', async (side) => {
    const { status, body } = await side.raw('/storage/v1/object/public/photos/villa/facade.txt');
    return { status, body };
  }),
  act('a list', async (side) => {
    const { data, error } = await photos(side, 'ann').list('villa', { sortBy: { column: 'name', order: 'asc' } });
    return { error, names: data?.map(({ name }) => name) };
  }),
  act('a replaced file is new at once', async (side) => {
    await photos(side, 'ann').update('villa/facade.txt', Buffer.from('une autre'), { contentType: 'text/plain' });
    return digest(await photos(side, 'ann').download('villa/facade.txt'));
  }),
  act('a removed file is gone', async (side) => [
    (await photos(side, 'ann').remove(['villa/facade.txt'])).error,
    await digest(await photos(side, 'ann').download('villa/facade.txt')),
  ]),
];
