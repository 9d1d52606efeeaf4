import { classOfKind } from '../../allocation/groups.ts';
import { mustWaitItsTurn } from '../../failover/joint-turn.ts';
import type { Move, PendingGroup } from '../../schemas/recovery.ts';
import { homeByPreemption } from '../../services/placement/preempt.ts';
import { splitPending } from '../../services/rebalancing/regroup.ts';
import { answerResumed } from '../../services/recovery/resumed.ts';
import { placePending } from '../../services/waiting/place-pending.ts';
import { readGroups } from '../../store/placement/groups.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { advance, type PhaseWork } from './advance.ts';
import { type PhaseAnswer, type PhaseContext, requesterOf } from './context.ts';
import { keepOwnCapsule } from './observed.ts';

/** Parts that one recovery splits off groups that fit nowhere whole. */
const SPLITS_MAX = 32;

/**
 * Places what the flip could not, with a fresh picture of the fleet and the reserve; a group that fits nowhere whole is
 * split first. Assignments were published with the flip itself: each target's revision moved on in the same transaction.
 */
export const reassign = async (context: PhaseContext): Promise<PhaseAnswer> => {
  let taken: readonly string[] = [];
  const answer = await advance(context, 'Reassign', (recovery) => {
    taken = takenFrom(recovery);
    return placeRest(context, recovery);
  });
  // Their targets failed, too: they wait in vain for what has moved on.
  await answerResumed(context.runtime, taken);
  // Work first, then the record of what was decided.
  await keepOwnCapsule(context);
  return answer;
};

/** Recoveries whose work this one moved on, as its flip has them. */
const takenFrom = ({ phases }: RecoveryRecord): readonly string[] => {
  const detail = phases.findLast(({ name }) => name === 'Failover')?.detail['takenFrom'];
  return Array.isArray(detail) ? detail.map(String) : [];
};

const placeRest = async (context: PhaseContext, recovery: RecoveryRecord): Promise<PhaseWork> => {
  const moves: Move[] = [];
  const pending: PendingGroup[] = [];
  let preempted = 0;
  let split = 0;
  const queue = [...recovery.pending];
  const behind = await waitingItsTurn(context, recovery);
  for (let waiting = queue.shift(); waiting !== undefined; waiting = queue.shift()) {
    if (behind.has(waiting.group)) {
      pending.push(waiting);
      continue;
    }
    const home = await homeFor(context, waiting.group, recovery.id, split < SPLITS_MAX);
    if (home.kind === 'nowhere') pending.push(waiting);
    if (home.kind === 'split') {
      split += 1;
      const { reason } = waiting;
      const entries = [home.part, home.rest].map(({ id, count, demand }) => ({
        group: id,
        count,
        demand,
        reason,
      }));
      queue.unshift(...entries);
    }
    if (home.kind === 'placed') {
      preempted += home.victims;
      moves.push({
        group: waiting.group,
        from: recovery.resource,
        to: home.resource,
        epoch: home.epoch,
        count: waiting.count,
        demand: waiting.demand,
      });
    }
  }
  return {
    next: 'Verify',
    detail: { placed: moves.length, pending: pending.length, preempted, ...(split === 0 ? {} : { split }) },
    patch: { pending, moves: [...recovery.moves, ...moves] },
  };
};

/**
 * Groups that a joint plan lets wait while more urgent work is still to be moved off other resources: nothing is placed,
 * split or pre-empted for them now. The pending queue places them, in the reserve, too.
 */
const waitingItsTurn = async (
  { runtime }: PhaseContext,
  { joint, pending, resource }: RecoveryRecord,
): Promise<ReadonlySet<string>> => {
  if (joint === undefined || pending.length === 0) return new Set();
  const [groups, { resources }] = await Promise.all([
    readGroups(
      runtime.store,
      pending.map(({ group }) => group),
    ),
    runtime.fleet.snapshot(0),
  ]);
  const fleet = resources
    .filter(({ groups: held }) => held.length > 0)
    .map(({ id, status, groups: held }) => ({
      ...{ id, status },
      classes: held.map(({ kind }) => classOfKind(kind)),
    }));
  return new Set(groups.filter((group) => mustWaitItsTurn(group.class, resource, fleet)).map(({ id }) => id));
};

/**
 * Room in the reserve if there is any; else a part of it that may find some; else critical and high work may take the
 * place of lower classes.
 */
const homeFor = async (context: PhaseContext, group: string, recovery: string, maySplit: boolean) => {
  const { runtime } = context;
  const requester = requesterOf(context);
  const home = await placePending(runtime, group, 'limit', requester);
  if (home.kind === 'placed') return { ...home, victims: 0 };
  if (home.kind === 'gone') return home;
  const parts = maySplit ? await splitPending(runtime, group, requester) : undefined;
  if (parts !== undefined) return { kind: 'split' as const, ...parts };
  return homeByPreemption(runtime, group, recovery, requester);
};
