import { afterEach, expect, test } from '@jest/globals';
import { defaultProvider } from '../../../functions/credentials.ts';

const before = { ...process.env };
afterEach(() => {
  process.env = { ...before };
});
const given = (variables: Readonly<Record<string, string>>): void => {
  process.env = { ...variables };
};

const KEYS = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };

test('are those of the environment, with the token of a role', async () => {
  given(KEYS);
  expect(await defaultProvider()()).toEqual({ accessKeyId: 'id', secretAccessKey: 'secret' });
  given({ ...KEYS, AWS_SESSION_TOKEN: 'token' });
  expect(await defaultProvider()()).toEqual({
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    sessionToken: 'token',
  });
});

test.each(Object.keys(KEYS))('say so where the environment has no %s', async (missing) => {
  given({ ...KEYS, [missing]: '' });
  await expect(defaultProvider()()).rejects.toThrow(`environment variable ${missing} is not set`);
});
