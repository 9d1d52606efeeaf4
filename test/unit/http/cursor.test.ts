import { Buffer } from 'node:buffer';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import { ProblemError } from '../../../lib/errors.ts';
import { decodeCursor, encodeCursor } from '../../../lib/http/cursor.ts';

const Position = z.strictObject({ id: z.string(), shard: z.int().min(0) });

const refusalOf = (cursor: string) => {
  try {
    decodeCursor(Position, cursor);
  } catch (error) {
    return error instanceof ProblemError ? [error.code, error.options.errors?.[0]?.field] : error;
  }
  return undefined;
};

test('a cursor brings back the position it was made of', () => {
  fc.assert(
    fc.property(fc.record({ id: fc.string({ unit: 'grapheme' }), shard: fc.nat() }), (position) => {
      const cursor = encodeCursor(position);
      expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(decodeCursor(Position, cursor)).toEqual(position);
    }),
  );
});

test('no cursor is the first page', () => {
  expect(decodeCursor(Position, undefined)).toBeUndefined();
});

test('a cursor of another list, another version or another hand is refused', () => {
  const good = encodeCursor({ id: 'a', shard: 1 });
  // The last two bits of this length carry nothing: 0 and 1 decode to the same bytes.
  const spelledTwice = good.replace(/0$/, '1');
  expect(spelledTwice).not.toBe(good);
  for (const cursor of [
    '',
    ' ',
    `${good}=`,
    good.slice(1),
    spelledTwice,
    encodeCursor({ id: 'a' }),
    encodeCursor({ id: 'a', shard: -1 }),
    encodeCursor({ id: 'a', shard: 1, tenant: 'zeta' }),
    encodeCursor(null),
    Buffer.from('{').toString('base64url'),
    'a'.repeat(1025),
  ]) {
    expect([cursor, refusalOf(cursor)]).toEqual([cursor, ['invalid-input', 'cursor']]);
  }
});
