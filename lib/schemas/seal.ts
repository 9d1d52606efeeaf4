import * as z from 'zod';
import { AuditEvent, EntityRef } from './audit.ts';
import { Instant, wholeNumber } from './common.ts';

export const SEAL_VERSION = 1;

const Hash = z.string().regex(/^[0-9a-f]{64}$/);
/** Thumbprint of a public key (RFC 7638), so that a seal that names its key names exactly one. */
const KeyId = z.string().regex(/^[\w-]{43}$/);

/** What is signed: the canonical JSON (RFC 8785) of these fields. */
export const SealBody = z.strictObject({
  version: z.literal(SEAL_VERSION),
  number: z.int().min(1),
  /** Its events are of `from` ≤ at < `to`, and late ones of before. */
  from: Instant,
  to: Instant,
  count: z.int().min(0),
  late: z.int().min(0),
  root: Hash,
  prev: Hash,
  key: KeyId,
  next: KeyId.optional().meta({ description: 'the key that signs all later seals' }),
});
export type SealBody = z.infer<typeof SealBody>;

export const Seal = SealBody.extend({
  hash: Hash.meta({ description: 'SHA-256 of what is signed' }),
  signature: z
    .string()
    .regex(/^[\w-]{86}$/)
    .meta({ description: 'Ed25519, base64url' }),
});
export type Seal = z.infer<typeof Seal>;

export const SealKey = z.object({
  id: KeyId,
  x: z
    .string()
    .regex(/^[\w-]{43}$/)
    .meta({ description: 'the Ed25519 public key, base64url' }),
  since: z.int().min(1).meta({ description: 'the first seal that it signs' }),
});
export type SealKey = z.infer<typeof SealKey>;

export const SealsQuery = z.strictObject({
  cursor: z.string().max(1024).optional(),
  limit: wholeNumber(1, 500).optional(),
});

export const ProofQuery = z.strictObject({ entity: EntityRef, rev: wholeNumber(1, 9_999_999_999) });

/** That an event is in a seal: its leaf, and the hashes beside the way to the root (RFC 9162, 2.1.3). */
export const Proof = z.object({
  event: AuditEvent,
  seal: Seal,
  index: z.int().min(0),
  path: z.array(Hash).max(64),
});
export type Proof = z.infer<typeof Proof>;
