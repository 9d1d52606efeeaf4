import { BackupId } from '../../../lib/schemas/backup.ts';
import type { RestoreScope } from '../../../lib/services/backup/restore-types.ts';
import { parseOptions, UsageError } from '../../usage.ts';

export const USAGE = `npm run restore -- --from SOURCE TARGET [--backup ID | --at TIME] [--labscape ID | --resource ID] [--apply]

Without --apply it only says what it would do.

Sources:
  --from FOLDER               a bucket of backups as a folder: DATA/objects/labscape-local-state-backups, or a copy
  --from s3://BUCKET          the bucket itself, by your AWS credentials
  --from tables:STATE,AUDIT   two DynamoDB tables, restored to one point in time; --at says which

Targets:
  --data DIR                  the data folder of a local host that does not run; made if there is none
  --state TABLE --audit TABLE tables of a control plane, which may run; [--endpoint URL]

  --backup ID      that backup; otherwise the newest, or with --at the newest that is no younger
  --at TIME        such as 2026-11-21T17:00:00Z
  --labscape ID, --resource ID   only what belongs to it
  --verify         restores into a new temporary folder, checks all of it, and removes it again

Exit codes: 0 done, or nothing to do; 1 refused, or something is left; 2 not understood.`;

export type Source =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'bucket'; readonly name: string }
  | { readonly kind: 'tables'; readonly state: string; readonly audit: string };
export type Target =
  | { readonly kind: 'data'; readonly dir: string }
  | { readonly kind: 'scratch' }
  | { readonly kind: 'tables'; readonly state: string; readonly audit: string };

export interface Arguments {
  readonly source: Source;
  readonly target: Target;
  readonly endpoint: string | undefined;
  readonly backup: string | undefined;
  /** Epoch ms. */
  readonly at: number | undefined;
  readonly scope: RestoreScope;
  readonly apply: boolean;
}

const text = { type: 'string' } as const;
const OPTIONS = {
  ...{ from: text, data: text, state: text, audit: text, endpoint: text, backup: text, at: text },
  ...{ labscape: text, resource: text },
  apply: { type: 'boolean' },
  verify: { type: 'boolean' },
} as const;

/** Throws UsageError with what is wrong. */
export const readArguments = (argv: readonly string[]): Arguments => {
  const values = parsed(argv);
  const { labscape, resource, backup, endpoint } = values;
  const at = timeOf(values.at);
  const source = sourceOf(values.from);
  if (backup !== undefined && !BackupId.safeParse(backup).success)
    throw new UsageError(`${backup} is not the name of a backup`);
  if (backup !== undefined && at !== undefined) throw new UsageError('give one of --backup and --at');
  if (labscape !== undefined && resource !== undefined)
    throw new UsageError('give one of --labscape and --resource');
  if (source.kind === 'tables' && at === undefined)
    throw new UsageError('say --at: the time to which the tables were restored');
  const apply = values.apply === true || values.verify === true;
  return { source, target: targetOf(values), endpoint, backup, at, scope: { labscape, resource }, apply };
};

const parsed = (argv: readonly string[]) => parseOptions({ args: [...argv], options: OPTIONS }).values;

const timeOf = (given: string | undefined): number | undefined => {
  if (given === undefined) return undefined;
  const at = Date.parse(given);
  if (Number.isNaN(at)) throw new UsageError(`--at ${given} is no time such as 2026-11-21T17:00:00Z`);
  return at;
};

const sourceOf = (from: string | undefined): Source => {
  if (from === undefined) throw new UsageError('say --from: where the backup is');
  if (from.startsWith('s3://'))
    return { kind: 'bucket', name: from.slice('s3://'.length).replace(/\/$/, '') };
  if (!from.startsWith('tables:')) return { kind: 'folder', path: from };
  const [state, audit, more] = from.slice('tables:'.length).split(',');
  if (!state || !audit || more !== undefined) throw new UsageError(`${from} is not tables:STATE,AUDIT`);
  return { kind: 'tables', state, audit };
};

const targetOf = (values: ReturnType<typeof parsed>): Target => {
  const { data, state, audit, verify } = values;
  const given = [data, state ?? audit, verify].filter((one) => one !== undefined);
  if (given.length !== 1)
    throw new UsageError('give one target: --data DIR, --state TABLE --audit TABLE, or --verify');
  if (data !== undefined) return { kind: 'data', dir: data };
  if (verify === true) return { kind: 'scratch' };
  if (state === undefined || audit === undefined) throw new UsageError('give both --state and --audit');
  return { kind: 'tables', state, audit };
};
