import * as z from 'zod';
import { ProblemError } from '../../errors.ts';
import { actualOutcome, quotedOutcome } from '../../failover/outcome.ts';
import type { Recovery } from '../../schemas/recovery.ts';
import {
  decodeRecovery,
  type RecoveryRecord,
  readRecovery,
  recoveriesPage,
} from '../../store/recovery/recoveries.ts';
import { itemOf, StartKey, startKeyOf } from '../../store/table/cursor-key.ts';
import { leastShare } from '../../vector.ts';
import type { Runtime } from '../runtime.ts';

const total = (recovery: RecoveryRecord, field: 'ms' | 'waitedMs'): number =>
  Math.round(recovery.phases.reduce((sum, phase) => sum + phase[field], 0) * 1000) / 1000;

const waitingOf = ({ waiting }: RecoveryRecord): Pick<Recovery, 'waiting'> => {
  if (waiting === undefined || waiting.answer !== undefined) return {};
  const { phase, since, quote } = waiting;
  return { waiting: { phase, since, ...(quote === undefined ? {} : { quote }) } };
};

const outcomesOf = (recovery: RecoveryRecord): Pick<Recovery, 'quoted' | 'actual'> => {
  const quoted = quotedOutcome(recovery);
  const actual = actualOutcome(recovery);
  return { ...(quoted === undefined ? {} : { quoted }), ...(actual === undefined ? {} : { actual }) };
};

/** The report of a recovery, at any point of it. */
export const recoveryView = (recovery: RecoveryRecord): Recovery => ({
  id: recovery.id,
  resource: recovery.resource,
  labscape: recovery.labscape,
  trigger: recovery.trigger,
  status: recovery.status,
  reason: recovery.reason,
  ...(recovery.nextPhase === undefined ? {} : { nextPhase: recovery.nextPhase }),
  attempt: recovery.attempt,
  epoch: recovery.epoch,
  startedAt: recovery.startedAt,
  ...(recovery.endedAt === undefined ? {} : { endedAt: recovery.endedAt }),
  ...(recovery.silentSince === undefined ? {} : { silentSince: recovery.silentSince }),
  ...(recovery.verdictAt === undefined ? {} : { verdictAt: recovery.verdictAt }),
  ...waitingOf(recovery),
  ...(recovery.cancel === undefined ? {} : { cancel: recovery.cancel }),
  ...(recovery.parkedAt === undefined ? {} : { parkedAt: recovery.parkedAt }),
  ...(recovery.joint === undefined ? {} : { joint: recovery.joint }),
  ...(recovery.grace === undefined ? {} : { grace: recovery.grace }),
  phases: [...recovery.phases],
  moves: [...recovery.moves],
  pending: [...recovery.pending],
  demand: recovery.demand,
  rehomed: recovery.rehomed,
  rehomedShare: leastShare(recovery.rehomed, recovery.demand),
  ...outcomesOf(recovery),
  workMs: total(recovery, 'ms'),
  waitedMs: total(recovery, 'waitedMs'),
});

/** As it stands now, consistently read. Raises not-found, also for one whose first phase has not written it. */
export const getRecovery = async (runtime: Runtime, id: string): Promise<RecoveryRecord> => {
  const recovery = await readRecovery(runtime.store, id);
  if (recovery === undefined)
    throw new ProblemError('not-found', `there is no recovery ${id}, or it has not begun yet`);
  return recovery;
};

export const RecoveryPosition = z.strictObject({ at: StartKey });

/** Newest first. */
export const listRecoveries = async (
  runtime: Runtime,
  limit: number,
  from: z.infer<typeof RecoveryPosition> | undefined,
): Promise<{ items: Recovery[]; next?: z.infer<typeof RecoveryPosition> }> => {
  const page = await recoveriesPage(runtime.store, limit, itemOf(from?.at));
  const next = startKeyOf(page.next);
  return {
    items: page.items.map(decodeRecovery).map(recoveryView),
    ...(next === undefined ? {} : { next: { at: next } }),
  };
};
