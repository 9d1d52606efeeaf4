import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { accessKeys } from '../../infra/local/functions/functions.ts';
import { type S3Endpoint, startS3Endpoint } from '../../infra/local/objects/s3-endpoint.ts';
import type { LocalBucket } from '../../infra/local/template/template.ts';
import { ObjectRetained } from '../../lib/store/objects.ts';
import { S3Objects, s3Client } from '../../lib/store/s3-objects.ts';
import { allow, temporaryFolder, tinyFunction } from './support.ts';

const DAY_MS = 86_400_000;
const bucketOf = (name: string, lockDays?: number): LocalBucket => ({
  name,
  arn: `arn:aws:s3:::${name}`,
  ...(lockDays === undefined ? {} : { lockDays }),
});
const PLAIN = bucketOf('plain');
const LOCKED = bucketOf('locked', 30);
const ALL = ['s3:PutObject', 's3:PutObjectRetention', 's3:GetObject', 's3:DeleteObject'];
const everything = [PLAIN, LOCKED].flatMap(({ arn }) => [
  allow(ALL, `${arn}/*`),
  allow('s3:ListBucket', arn),
]);

const folder = temporaryFolder();
const functions = [
  tinyFunction(folder.path, 'keeper', '', { statements: everything }),
  tinyFunction(folder.path, 'reader', '', { statements: [allow('s3:GetObject', `${PLAIN.arn}/*`)] }),
];
const keys = accessKeys(functions);
const clock = { now: () => nowMs };
let nowMs = Date.parse('2026-11-21T12:00:00Z');
let endpoint: S3Endpoint;

beforeAll(async () => {
  endpoint = await startS3Endpoint({
    buckets: [PLAIN, LOCKED],
    callers: keys,
    folder: folder.path,
    guards: true,
    now: clock.now,
  });
});
afterAll(async () => {
  await endpoint.stop();
  folder.remove();
});

const keyOf = (name: string) => [...keys].find(([, fn]) => fn.name.endsWith(name))?.[0] ?? 'nobody';
const objects = (bucket: LocalBucket, who = 'keeper') =>
  new S3Objects(
    s3Client({
      endpoint: endpoint.url,
      region: 'us-east-1',
      credentials: { accessKeyId: keyOf(who), secretAccessKey: 'local' },
    }),
    bucket.name,
    clock,
  );
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (body: Uint8Array | undefined) => body && new TextDecoder().decode(body);

test('what is put is got, listed in the order of bytes, page by page, and gone once it is removed', async () => {
  const store = objects(PLAIN);
  const names = ['b/2', 'b/10', 'b/é', 'a', 'b/sub/x y', 'c'];
  for (const name of names) await store.put(`order/${name}`, bytes(name));
  await store.put('order/a', bytes('again'));

  const all = ['order/a', 'order/b/10', 'order/b/2', 'order/b/sub/x y', 'order/b/é', 'order/c'];
  expect(await store.list('order/')).toEqual(all);
  expect(await store.list('order/b')).toEqual(all.slice(1, 5));
  expect(await store.list('order/', 'order/b/2')).toEqual(all.slice(3));
  expect(textOf(await store.get('order/a'))).toBe('again');
  expect(await store.get('order/nothing')).toBeUndefined();
  // A part of another key's path is no object.
  expect(await store.get('order/b')).toBeUndefined();

  await store.remove('order/a');
  await store.remove('order/a');
  expect(await store.get('order/a')).toBeUndefined();
});

test('a list ends at 1,000 and goes on after the last', async () => {
  const store = objects(PLAIN);
  const dir = join(folder.path, PLAIN.name, 'many');
  await store.put('many/0000', bytes('0'));
  for (let n = 1; n <= 1_004; n += 1) writeFileSync(join(dir, String(n).padStart(4, '0')), '');
  const first = await store.list('many/');
  expect(first).toHaveLength(1_000);
  expect(await store.list('many/', first.at(-1))).toEqual(
    ['1000', '1001', '1002', '1003', '1004'].map((n) => `many/${n}`),
  );
});

test('a retained object is neither replaced nor removed until its time is over', async () => {
  const store = objects(LOCKED);
  const retainUntil = nowMs + DAY_MS;
  await store.put('seals/1', bytes('sealed'), { retainUntil });

  await expect(store.put('seals/1', bytes('forged'), { retainUntil })).rejects.toThrow(ObjectRetained);
  await expect(store.put('seals/1', bytes('forged'))).rejects.toThrow('is retained');
  await expect(store.remove('seals/1')).rejects.toThrow(ObjectRetained);
  // The answer to the first try may have been lost.
  await store.put('seals/1', bytes('sealed'), { retainUntil });
  expect(textOf(await store.get('seals/1'))).toBe('sealed');

  nowMs += DAY_MS + 1;
  await store.remove('seals/1');
  expect(await store.get('seals/1')).toBeUndefined();
});

test('in a bucket with a lock, an object that names no time is retained as the bucket says', async () => {
  const store = objects(LOCKED);
  await store.put('seals/2', bytes('sealed'));
  nowMs += 29 * DAY_MS;
  await expect(store.remove('seals/2')).rejects.toThrow(ObjectRetained);
  nowMs += 2 * DAY_MS;
  await store.remove('seals/2');
});

test('of two writers of one retained object at once, one is refused, and what is there is whole', async () => {
  const store = objects(LOCKED);
  const bodies = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(200_000));
  const tries = await Promise.allSettled(
    bodies.map((body) => store.put('seals/race', bytes(body), { retainUntil: nowMs + DAY_MS })),
  );
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const winner = bodies[tries.findIndex(({ status }) => status === 'fulfilled')];
  expect(textOf(await store.get('seals/race'))).toBe(winner);
});

test('a retention where there is no lock is refused', async () => {
  await expect(objects(PLAIN).put('x', bytes('x'), { retainUntil: nowMs + 1 })).rejects.toThrow(
    'Object Lock',
  );
});

test('a function may do what its role says, and learns of what is missing only if it may list', async () => {
  const reader = objects(PLAIN, 'reader');
  await objects(PLAIN).put('roles/there', bytes('yes'));
  expect(textOf(await reader.get('roles/there'))).toBe('yes');
  await expect(reader.get('roles/missing')).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(reader.put('roles/there', bytes('no'))).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(reader.list('')).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(objects(PLAIN, 'nobody').get('roles/there')).rejects.toMatchObject({
    name: 'InvalidAccessKeyId',
  });
  const refused = endpoint.permissionsUsed().filter((use) => use.refused > 0);
  expect(refused.map(({ action, resource }) => `${action} ${resource}`).toSorted()).toEqual([
    's3:ListBucket arn:aws:s3:::plain',
    's3:PutObject arn:aws:s3:::plain/*',
  ]);
});

test('a body that changed on its way is refused and not written', async () => {
  const answer = await fetch(`${endpoint.url}/plain/digest`, {
    method: 'PUT',
    body: 'changed',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${keyOf('keeper')}/20261121/us-east-1/s3/aws4_request`,
      'x-amz-checksum-crc32': 'AAAAAA==',
    },
  });
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('BadDigest')]);
  expect(existsSync(join(folder.path, 'plain', 'digest'))).toBe(false);
});

test('no key leads out of its bucket, and no unfinished file is an object', async () => {
  const store = objects(PLAIN);
  await store.put('odd/..%2fout', bytes('in'));
  await store.put('odd/.hidden', bytes('seen'));
  writeFileSync(join(folder.path, 'plain', 'odd', '.unfinished-1'), 'half');
  expect(await store.list('odd/')).toEqual(['odd/..%2fout', 'odd/.hidden']);
  expect(textOf(await store.get('odd/..%2fout'))).toBe('in');
  expect(readdirSync(folder.path).toSorted()).toEqual(['keeper', 'locked', 'plain', 'reader']);
});

test('what is not emulated says so', async () => {
  const answer = await fetch(`${endpoint.url}/plain/x?uploads`, {
    method: 'POST',
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${keyOf('keeper')}/20261121/x` },
  });
  expect([answer.status, await answer.text()]).toEqual([501, expect.stringContaining('NotImplemented')]);
});
