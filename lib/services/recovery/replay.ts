import type { MovableGroup } from '../../failover/plan.ts';
import { type OtherRules, type Replay, replay } from '../../failover/replay.ts';
import { judge } from '../../health/detector.ts';
import type { Capsule, CapsuleResource, FailoverStep } from '../../schemas/capsule.ts';
import type { Vector } from '../../schemas/common.ts';
import { slimPlan } from './capsule-steps.ts';
import { fenceWaitMs } from './fence-wait.ts';
import { type Considered, planMoves } from './plan-moves.ts';

const vectorOf = ([processing, memory, storage, network]: CapsuleResource[4]): Vector => ({
  ...{ processing, memory, storage, network },
});

/** A resource as the plan saw it; of its groups only their number counts. */
const consideredOf = (resource: CapsuleResource): Considered => {
  const [id, labscape, status, cfg, limit, used, groups, labels, special] = resource;
  return {
    ...{ id, labscape, status, cfg, labels, ...special },
    ...{ limit: vectorOf(limit), used: vectorOf(used), groups: Array.from({ length: groups }) },
  };
};

const groupOf = (group: FailoverStep['groups'][number]): MovableGroup => ({
  ...group,
  labscape: group.labscape,
  heldUntil: group.heldUntil,
});

const RULES: OtherRules = {
  judge: ({ pulse, now, policy }) => judge(pulse ?? undefined, now, policy),
  fenceWaitMs: ({ policy, pulses, question }) =>
    fenceWaitMs(
      { policy },
      { pulses: new Map(pulses.map(([id, lastAt, leaseEndMs]) => [id, { lastAt, leaseEndMs }])) },
      question,
    ),
  plan: ({ source, groups, resources, wishes, now }) =>
    slimPlan(
      planMoves(source, groups.map(groupOf), resources.map(consideredOf), wishes && new Map(wishes), now),
    ),
};

/** Makes the decisions of a capsule again by the rules of this code. Pure. */
export const replayCapsule = (capsule: Capsule): Replay => replay(capsule, RULES);
