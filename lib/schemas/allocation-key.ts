import { createHash } from 'node:crypto';

const KEY_LENGTH = 32;

/** The allocation's id is made from the caller's Idempotency-Key, so that the same key is the same allocation. */
export const allocationIdOf = (idempotencyKey: string): string =>
  createHash('sha256').update(idempotencyKey).digest('hex').slice(0, KEY_LENGTH);
