import * as z from 'zod';
import { Instant, wholeNumber } from './common.ts';

/** An entity's key in its chain: `resource#id`, `labscape#id`, `tenant#id`, `principal#id`, `recovery#id`, `plan#id`, `backup#id`, `restore#id`, `allocation#tenant#key`, `override#labscape#id`. */
export const EntityRef = z
  .string()
  .regex(
    /^((resource|labscape|tenant|recovery|plan|backup|restore)#[a-z0-9-]{1,80}|principal#[a-z0-9.-]{1,81}|(allocation|override)#[a-z0-9-]{1,40}#[a-z0-9-]{1,64})$/,
    'must be KIND#ID, allocation#TENANT#ID, or override#LABSCAPE#ID',
  );

export const AuditEvent = z.object({
  entity: z.string(),
  rev: z.int().meta({ description: "position in the entity's chain, from 1" }),
  type: z.string(),
  at: Instant,
  actor: z.string(),
  request: z.string(),
  body: z.record(z.string(), z.unknown()),
  prev: z.string().meta({ description: 'hash of the event before; 64 zeros for the first' }),
  hash: z.string().meta({ description: 'SHA-256 of the canonical JSON (RFC 8785) of all other fields' }),
});
export type AuditEvent = z.infer<typeof AuditEvent>;

/** Events are found by times of 13 digits: until the year 2286. */
const TIME_MAX = 9_999_999_999_999;

export const AuditQuery = z.strictObject({
  entity: EntityRef.optional(),
  from: wholeNumber(0, TIME_MAX).optional(),
  to: wholeNumber(0, TIME_MAX).optional(),
  cursor: z.string().max(1024).optional(),
  limit: wholeNumber(1, 500).optional(),
});

export const VerifyQuery = z.strictObject({ entity: EntityRef });
export const VerifyAnswer = z.object({
  entity: z.string(),
  verified: z.boolean(),
  events: z.int(),
  head: z.string(),
  faults: z.array(
    z.object({ rev: z.int(), fault: z.enum(['edited', 'missing', 'reordered', 'truncated', 'foreign']) }),
  ),
});
