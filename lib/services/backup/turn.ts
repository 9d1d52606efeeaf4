import type { BackupRun } from '../../schemas/backup.ts';
import { noteRun, type RunRecord, readRuns } from '../../store/backup/runs.ts';
import { StoreUnavailable, Throttled } from '../../store/table/errors.ts';
import { system } from '../origin.ts';
import { pauseAfterRace } from '../retry.ts';
import { Claim, ClaimLost } from './claim.ts';
import { drillBackup } from './drill.ts';
import { type KeepPolicy, keepBackups } from './keep.ts';
import { record, summarise } from './runs.ts';
import { type BackupDeps, newBackupId, takeBackup } from './take.ts';

const MINUTE_MS = 60_000;

export interface BackupPolicy extends KeepPolicy {
  readonly everyMinutes: number;
  readonly drillEveryMinutes: number;
}

/** What a turn did, and how old the last good ones are after it. */
export interface Turned {
  readonly runs: readonly BackupRun[];
  readonly removed: readonly string[];
  readonly backupAgeMs?: number;
  readonly drillAgeMs?: number;
}

/**
 * What is due now: what was asked for, a backup, a drill, and removing what need not be kept. Called every minute; while
 * another turn is at it, this one only looks. Raises StoreUnavailable, Throttled.
 */
export async function takeTurn(deps: BackupDeps, policy: BackupPolicy, request: string): Promise<Turned> {
  const claim = await Claim.take(deps);
  if (claim === undefined) return aged(deps, [], []);
  try {
    const held = claim.deps;
    const runs: BackupRun[] = [];
    const due = dueNow(await readRuns(deps.store), policy, deps.clock.now());
    for (const [at, one] of due.entries())
      try {
        runs.push(await run(held, one, request));
      } catch (error) {
        await noteHindrance(deps, due.slice(at), error);
        throw error;
      }
    const removed = runs.some(({ kind }) => kind === 'backup') ? await prune(held, policy) : [];
    return await aged(deps, runs, removed);
  } finally {
    await giveBack(deps, claim);
  }
}

/** Tries to give the claim back before it is left to end by itself: with their pauses about a second. */
const RELEASES_MAX = 12;

/**
 * Another write to the claim, a look of the next turn, may be in the way, or the table for a moment. Until it is given back
 * nobody takes a backup. One that was given back although no answer came, and taken by the next turn, stays with that. Raises StoreUnavailable,
 * Throttled.
 */
async function giveBack(deps: BackupDeps, claim: Claim): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await claim.release();
    } catch (error) {
      const mayPass = error instanceof Throttled || error instanceof StoreUnavailable;
      if (!mayPass || attempt === RELEASES_MAX) throw error;
      await pauseAfterRace(deps, attempt);
    }
  }
}

/** Why what was asked for is not taken yet, for whoever asked. A note that cannot be written either is left out. */
async function noteHindrance(
  { store, clock }: BackupDeps,
  left: readonly Due[],
  error: unknown,
): Promise<void> {
  if (error instanceof ClaimLost) return;
  const lastTry = { at: clock.now(), why: wordsOf(error).slice(0, WHY_MAX) };
  for (const { asked } of left)
    if (asked !== undefined) await noteRun(store, asked, { lastTry }).catch(() => false);
}

/** What the outage is called, and what it was made of. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  return cause instanceof Error && !message.includes(cause.message)
    ? `${message}: ${cause.message}`
    : message;
}

interface Due {
  readonly kind: BackupRun['kind'];
  readonly asked: RunRecord | undefined;
}

/** Backups before drills, so that a drill is one of the newest. Tries that failed are tried again at the same pace. */
function dueNow(runs: readonly RunRecord[], policy: BackupPolicy, now: number): readonly Due[] {
  const due = (kind: BackupRun['kind'], everyMinutes: number): Due[] => {
    const asked = runs
      .filter(({ run }) => run.kind === kind && run.status === 'requested')
      .map((one) => ({ kind, asked: one }));
    const last = runs.find(({ run }) => run.kind === kind && run.endedAt !== undefined)?.run.startedAt;
    const isDue = last === undefined || last + everyMinutes * MINUTE_MS <= now;
    return asked.length === 0 && isDue ? [{ kind, asked: undefined }] : asked;
  };
  return [...due('backup', policy.everyMinutes), ...due('drill', policy.drillEveryMinutes)];
}

async function run(deps: BackupDeps, { kind, asked }: Due, request: string): Promise<BackupRun> {
  const startedAt = deps.clock.now();
  const startedMs = deps.clock.monotonicMs();
  const id = asked?.run.id ?? newBackupId(deps);
  const result = kind === 'backup' ? await tryTake(deps, id) : await tryDrill(deps);
  const endedAt = deps.clock.now();
  const ended: BackupRun = {
    ...(asked?.run.why === undefined ? {} : { why: asked.run.why }),
    ...{ id, kind, startedAt, endedAt, ms: Math.round(deps.clock.monotonicMs() - startedMs) },
    ...result,
    ...(result.point === undefined ? {} : { dataAgeMs: endedAt - result.point }),
  };
  const type = `backup.${ended.status === 'failed' ? 'failed' : kind === 'backup' ? 'taken' : 'drilled'}`;
  await record(deps, asked, ended, type, system('backup', request));
  return ended;
}

type Result = Pick<BackupRun, 'status' | 'point' | 'bytes' | 'counts' | 'why' | 'backup'>;

async function tryTake(deps: BackupDeps, id: string): Promise<Result> {
  try {
    const { point, items, tail, events, counts } = await takeBackup(deps, id);
    const bytes = [...items, ...tail, ...events].reduce((sum, part) => sum + part.bytes, 0);
    return { status: 'done', point, bytes, counts };
  } catch (error) {
    return failed(error);
  }
}

async function tryDrill({ objects, clock }: BackupDeps): Promise<Result> {
  try {
    const { manifest, faults } = await drillBackup(objects, clock);
    const { id: backup, point, counts } = manifest;
    if (faults.length > 0) return { status: 'failed', backup, why: faults.slice(0, 3).join('; ') };
    return { status: 'done', backup, point, counts };
  } catch (error) {
    return failed(error);
  }
}

/** What the backup says of itself is a result; an outage is not. */
const RESULTS = new Set(['Unsettled', 'ChangedSince', 'BackupDamaged']);
const WHY_MAX = 500;

function failed(error: unknown): Result {
  if (!(error instanceof Error) || !RESULTS.has(error.name)) throw error;
  return { status: 'failed', why: error.message.slice(0, WHY_MAX) };
}

async function prune(deps: BackupDeps, policy: BackupPolicy): Promise<readonly string[]> {
  const now = deps.clock.now();
  const removed = await keepBackups(deps.objects, policy, now);
  const runs = removed.length === 0 ? [] : await readRuns(deps.store);
  for (const one of runs)
    if (removed.includes(one.run.id)) await noteRun(deps.store, one, { removedAt: now });
  return removed;
}

async function aged(
  { store, clock }: BackupDeps,
  runs: readonly BackupRun[],
  removed: readonly string[],
): Promise<Turned> {
  const { lastBackupAt, lastDrillAt } = summarise(await readRuns(store));
  const now = clock.now();
  return {
    ...{ runs, removed },
    ...(lastBackupAt === undefined ? {} : { backupAgeMs: now - lastBackupAt }),
    ...(lastDrillAt === undefined ? {} : { drillAgeMs: now - lastDrillAt }),
  };
}
