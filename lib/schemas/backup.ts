import * as z from 'zod';
import { Instant, Reason } from './common.ts';

/** Of the layout of a backup; another one is refused. */
export const BACKUP_VERSION = 1;
/** Begins with its time, so that names sort by age. */
export const BackupId = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dt\d\d-\d\d-\d\d-[0-9a-f]{8}$/, 'must be the name of a backup');

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
export const BackupPart = z.strictObject({
  key: z.string(),
  /** Of the object as it is stored: compressed. */
  sha256: Sha256,
  bytes: z.int().min(0),
  lines: z.int().min(0),
});
export type BackupPart = z.infer<typeof BackupPart>;

export const Manifest = z.strictObject({
  version: z.literal(BACKUP_VERSION),
  id: BackupId,
  itemVersion: z.int(),
  startedAt: Instant,
  finishedAt: Instant,
  /** What it holds: every change up to then, and none after, epoch ms. */
  point: Instant,
  /** Items of the state table, one JSON object a line. */
  items: z.array(BackupPart),
  /** Audit events up to `point`, shared by all later backups; and those behind it that items here already show. */
  events: z.array(BackupPart),
  tail: z.array(BackupPart),
  counts: z.record(z.string(), z.int()),
  /** SHA-256 over the last event of every chain, in order: `entity rev hash`, a line each. */
  heads: Sha256,
  /** SHA-256 over the canonical JSON (RFC 8785) of all of the above. */
  digest: Sha256,
});
export type Manifest = z.infer<typeof Manifest>;

export const BACKUP_KINDS = ['backup', 'drill'] as const;
export const BACKUP_STATUSES = ['requested', 'done', 'failed'] as const;

export const BackupInput = z.strictObject({
  kind: z.enum(BACKUP_KINDS).default('backup'),
  reason: Reason,
});

/** A backup that was taken or tried, or a restore drill of one. */
export const BackupRun = z.object({
  id: z.string(),
  kind: z.enum(BACKUP_KINDS),
  status: z.enum(BACKUP_STATUSES),
  startedAt: Instant,
  endedAt: Instant.optional(),
  /** The backup that a drill restored. */
  backup: z.string().optional(),
  point: Instant.optional(),
  /** At the end: how old what it holds was. */
  dataAgeMs: z.int().optional(),
  ms: z.int().optional(),
  bytes: z.int().optional(),
  counts: z.record(z.string(), z.int()).optional(),
  why: z.string().optional(),
  lastTry: z
    .object({ at: Instant, why: z.string() })
    .optional()
    .meta({ description: 'of what is still requested: when it was tried last, and what was in the way' }),
  /** Its objects are gone: it was older than what is kept. */
  removedAt: Instant.optional(),
});
export type BackupRun = z.infer<typeof BackupRun>;

export const BackupList = z.object({
  items: z.array(BackupRun).meta({ description: 'newest first' }),
  /** When the last good ones ended; absent: never. */
  lastBackupAt: Instant.optional(),
  lastDrillAt: Instant.optional(),
});
