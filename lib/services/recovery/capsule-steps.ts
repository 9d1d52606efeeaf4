import { weigh } from '../../failover/evidence.ts';
import type { FailoverPlan, MovableGroup, Wishes } from '../../failover/plan.ts';
import { rulesOf } from '../../failover/rule-versions.ts';
import type { Decision, DecisionFacts, Overrides } from '../../failover/rules.ts';
import type { DetectorPolicy, Judged, Pulse } from '../../health/detector.ts';
import type {
  CapsulePlan,
  CapsuleResource,
  DecideStep,
  DetectStep,
  FailoverStep,
  InitiateStep,
} from '../../schemas/capsule.ts';
import type { Vector } from '../../schemas/common.ts';
import type { Trigger } from '../../schemas/recovery.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { FencedLabscape, FenceQuestion, HeardOf } from './fence-wait.ts';
import type { Considered } from './plan-moves.ts';

/** What a phase saw and decided, by reference: it costs the phase nothing. */
export interface SeenByDetect {
  readonly now: number;
  readonly policy: DetectorPolicy;
  readonly pulse: Pulse | undefined;
  readonly trigger: Trigger;
  readonly resource: Pick<ResourceRecord, 'status' | 'failedBy'>;
  readonly judged: Judged;
}
export interface Look {
  readonly facts: DecisionFacts;
  readonly overrides?: Overrides;
  readonly decision: Decision;
}
export interface SeenByInitiate {
  readonly question: FenceQuestion;
  readonly labscape: FencedLabscape;
  readonly beats: HeardOf;
  readonly fenceWaitMs: number;
}
export interface SeenByFailover {
  readonly now: number;
  readonly overtaken: number;
  readonly source: { readonly id: string; readonly capacity: Vector };
  readonly groups: readonly MovableGroup[];
  readonly fleet: readonly Considered[];
  readonly wishes: Wishes | undefined;
  readonly plan: FailoverPlan;
}

/** What a verdict looks at; how fast it serves is placement's. */
const heardOf = ({ pace: _, ...heard }: Pulse): Omit<Pulse, 'pace'> => heard;

export const detectStep = ({ now, policy, pulse, trigger, resource, judged }: SeenByDetect): DetectStep => {
  const { status, failedBy } = resource;
  const { verdict, reason } = judged;
  return {
    ...{ phase: 'Detect', rules: rulesOf('Detect'), now, trigger, status, failedBy: failedBy ?? null },
    policy: { beatMs: policy.beatMs, leaseEndMs: policy.leaseEndMs },
    pulse: pulse === undefined ? null : heardOf(pulse),
    decision: { verdict, reason, evidence: weigh({ trigger, status, failedBy, verdict }) },
  };
};

/** Of the capsule: every look at the rules, with what it saw and what was decided. */
export const decideStep = (looks: readonly Look[]): DecideStep => ({
  phase: 'Decide',
  rules: rulesOf('Decide'),
  looks: looks.map(({ facts, overrides, decision }) => ({
    facts: { ...facts },
    overrides: [...(overrides ?? [])],
    decision: { ...decision },
  })),
});

/** Of the capsule: what the wait behind the fence was reckoned from, and its length, ms. */
export const initiateStep = ({ question, labscape, beats, fenceWaitMs }: SeenByInitiate): InitiateStep => ({
  phase: 'Initiate',
  rules: rulesOf('Initiate'),
  question: { ...question },
  policy: { fencing: labscape.policy.fencing, leaseMs: labscape.policy.leaseMs },
  pulses: [...beats.pulses].map(([id, { lastAt, leaseEndMs }]) => [id, lastAt, leaseEndMs]),
  decision: { fenceWaitMs },
});

/** Of the capsule: the plan that was carried out, and all that it was made of. */
export const failoverStep = (seen: SeenByFailover): FailoverStep => ({
  phase: 'Failover',
  rules: rulesOf('Failover'),
  now: seen.now,
  overtaken: seen.overtaken,
  source: { id: seen.source.id, capacity: seen.source.capacity },
  groups: seen.groups.map(slimGroup),
  resources: seen.fleet.filter(({ id }) => id !== seen.source.id).map(slimResource),
  ...(seen.wishes === undefined ? {} : { wishes: [...seen.wishes] }),
  decision: slimPlan(seen.plan),
});

export const slimPlan = ({ moves, unplaced, targets }: FailoverPlan): CapsulePlan => ({
  moves: moves.map(({ group, to, deviceMap }) =>
    deviceMap === undefined ? [group.id, to] : [group.id, to, [...deviceMap]],
  ),
  unplaced: unplaced.map(({ group, reason }) => [group.id, reason]),
  targets: targets.map(({ id }) => id),
});

const slimGroup = (group: MovableGroup): FailoverStep['groups'][number] => {
  const { id, epoch, load, count, kind, constraints, demand, devices, deviceMap, data, labscape, heldUntil } =
    group;
  return {
    ...{ id, epoch, load, count, class: group.class, kind, constraints, demand },
    ...(devices === undefined ? {} : { devices }),
    ...(deviceMap === undefined ? {} : { deviceMap: [...deviceMap] }),
    ...(data === undefined ? {} : { data }),
    ...(labscape === undefined ? {} : { labscape }),
    ...(heldUntil === undefined ? {} : { heldUntil }),
  };
};

const amounts = (v: Vector): [number, number, number, number] => [
  v.processing,
  v.memory,
  v.storage,
  v.network,
];

const slimResource = (resource: Considered): CapsuleResource => {
  const { id, labscape, status, cfg, used, groups, labels, residency, spread, devices } = resource;
  const { limit } = resource.eased ?? resource;
  const special = {
    ...(residency === undefined ? {} : { residency }),
    ...(spread === undefined || spread.length === 0 ? {} : { spread: [...spread] }),
    ...(devices === undefined ? {} : { devices: { model: devices.model, used: [...devices.used] } }),
  };
  return [id, labscape, status, cfg, amounts(limit), amounts(used), groups.length, labels, special];
};
