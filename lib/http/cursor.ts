import { Buffer } from 'node:buffer';
import type * as z from 'zod';
import type { ProblemError } from '../errors.ts';
import { invalidField } from './field-errors.ts';

/** What is said about a cursor that we did not make, or not for this list. */
export const badCursor = (field = 'cursor'): ProblemError =>
  invalidField(field, 'must be the `next` of the page before, unchanged');

const CURSOR = /^[A-Za-z0-9_-]{1,1024}$/;

/**
 * Where the next page begins, as text that callers pass back unread. It is not signed: it names a position only, and
 * the operation takes whose list that is from the request, never from the cursor.
 */
export function encodeCursor(position: unknown): string {
  return Buffer.from(JSON.stringify(position), 'utf8').toString('base64url');
}

/** The position, undefined for the first page. Throws `invalid-input`, which names `field`, for what `encodeCursor` did not make. */
export function decodeCursor<S extends z.ZodType>(
  position: S,
  cursor: string | undefined,
  field = 'cursor',
): z.infer<S> | undefined {
  if (cursor === undefined) return undefined;
  const refusal = badCursor(field);
  if (!CURSOR.test(cursor)) throw refusal;
  const bytes = Buffer.from(cursor, 'base64url');
  // Decoding forgives trailing bits; the same position must not have two spellings.
  if (bytes.toString('base64url') !== cursor) throw refusal;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw refusal;
  }
  const parsed = position.safeParse(value);
  if (!parsed.success) throw refusal;
  return parsed.data;
}
