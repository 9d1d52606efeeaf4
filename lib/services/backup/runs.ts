import type * as z from 'zod';
import { type ChainHead, EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { BackupInput, BackupRun } from '../../schemas/backup.ts';
import { type RunRecord, readRuns, runWrites } from '../../store/backup/runs.ts';
import { originOf, type Requester } from '../origin.ts';
import type { BackupDeps } from './take.ts';
import { newBackupId } from './take.ts';

export type RunDeps = Pick<BackupDeps, 'store' | 'clock' | 'chance'>;

/** Of those that a list shows. */
const SHOWN_MAX = 200;
/** More than that are not asked for at once: the schedule would be days behind. */
const REQUESTED_MAX = 5;

/** Writes a run down with its event. Raises conflict when somebody else did meanwhile. */
export async function record(
  deps: RunDeps,
  before: RunRecord | undefined,
  run: BackupRun,
  type: string,
  requester: Requester,
): Promise<RunRecord> {
  const chain: ChainHead = before?.chain ?? EMPTY_CHAIN;
  const { id, startedAt: _, ...body } = run;
  const event = nextEvent(entityOf.backup(id), chain, originOf(requester, deps.clock), type, body);
  const after: RunRecord = { run, chain: headOf(event) };
  const outcome = await deps.store.transact(runWrites(deps.store, before, after, event));
  if (outcome.kind !== 'done') throw new ProblemError('conflict', `run ${id} was changed meanwhile`);
  return after;
}

/** Asks for a backup or a drill; it begins within a minute. Raises conflict. */
export async function requestRun(
  deps: RunDeps,
  { kind, reason }: z.output<typeof BackupInput>,
  requester: Requester,
): Promise<BackupRun> {
  const open = (await readRuns(deps.store, SHOWN_MAX)).filter(({ run }) => run.status === 'requested');
  if (open.length >= REQUESTED_MAX)
    throw new ProblemError(
      'conflict',
      `${open.length} backups or drills are waiting already: see GET /backups`,
    );
  const startedAt = deps.clock.now();
  const run: BackupRun = { id: newBackupId(deps), kind, status: 'requested', startedAt, why: reason };
  await record(deps, undefined, run, 'backup.requested', requester);
  return run;
}

const lastGood = (runs: readonly RunRecord[], kind: BackupRun['kind']): number | undefined =>
  runs.find(({ run }) => run.kind === kind && run.status === 'done')?.run.endedAt;

export interface RunList {
  readonly items: readonly BackupRun[];
  readonly lastBackupAt?: number;
  readonly lastDrillAt?: number;
}

/** Newest first, with when the last good ones ended, epoch ms. */
export async function listRuns(deps: Pick<RunDeps, 'store'>): Promise<RunList> {
  return summarise(await readRuns(deps.store));
}

export function summarise(runs: readonly RunRecord[]): RunList {
  const [lastBackupAt, lastDrillAt] = [lastGood(runs, 'backup'), lastGood(runs, 'drill')];
  return {
    items: runs.slice(0, SHOWN_MAX).map(({ run }) => run),
    ...(lastBackupAt === undefined ? {} : { lastBackupAt }),
    ...(lastDrillAt === undefined ? {} : { lastDrillAt }),
  };
}
