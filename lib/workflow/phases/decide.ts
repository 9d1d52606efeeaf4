import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { summaryOf } from '../../failover/quote.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import {
  type Decision,
  type DecisionFacts,
  decide as decideByRules,
  isByPerson,
} from '../../failover/rules.ts';
import { APPROVAL_WAIT_MS } from '../../failover/wait-bounds.ts';
import { originOf } from '../../services/origin.ts';
import type { Look } from '../../services/recovery/capsule-steps.ts';
import { factsOf, seenFleet } from '../../services/recovery/decision-facts.ts';
import { observedBy } from '../../services/recovery/observed-decisions.ts';
import { overridesFor } from '../../services/recovery/overrides.ts';
import { type Held, quoteHeld } from '../../services/recovery/quote.ts';
import { executionName } from '../../services/runtime.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { readGroups } from '../../store/placement/groups.ts';
import { putObserved } from '../../store/recovery/observed-decisions.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import { readBrief } from '../../store/recovery/recovery-briefs.ts';
import { claimWrites, endingWrites } from '../../store/recovery/recovery-writes.ts';
import { ZERO } from '../../vector.ts';
import {
  findRecovery,
  goOn,
  newWait,
  type PhaseAnswer,
  type PhaseContext,
  readOwnResource,
  requesterOf,
  stopwatch,
  withResults,
} from './context.ts';
import { LostRace, Superseded } from './errors.ts';
import { remember } from './memory.ts';
import { keepCapsule, observe } from './observed.ts';

/**
 * A picture of the labscape this old still tells an epidemic from one failure, ms. Half of what the flip accepts: what is
 * read here serves it, too, and its own time is not spent on reading.
 */
const FLEET_AGE_MAX_MS = 500;

/** The safety rules, before anything is touched. */
export const decide = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const { task } = context;
  const watch = stopwatch(context);
  const existing = await findRecovery(context);
  if (existing !== undefined && existing.attempt === task.input.attempt) {
    return isEnded(existing.status) ? { proceed: 'End' } : goOn(context, existing);
  }
  const resource = await readOwnResource(context);
  if (resource.epoch !== task.input.epoch || resource.attempt !== task.input.attempt) {
    throw new Superseded(`resource ${resource.id} has moved on`);
  }
  // Maintenance and the breaker guard automation from itself: they see the fleet as it is now.
  const [facts, groups, brief] = await Promise.all([
    gatherFacts(context, resource, isByPerson(task.input.trigger) ? FLEET_AGE_MAX_MS : 0),
    readGroups(
      context.runtime.store,
      resource.groups.map((ref) => ref.group),
    ),
    readBrief(context.runtime.store, resource.id, resource.epoch),
  ]);
  remember(context.runtime, executionName(task.input), { groups, brief: brief ?? null });
  let decision = decideByRules(facts);
  const looks: Look[] = [{ facts, decision }];
  // An objection is only believed on a fresh picture of the fleet, and unless somebody has set it aside.
  if (decision.kind !== 'proceed') {
    const [fresh, overrides] = await Promise.all([
      gatherFacts(context, resource, 0),
      overridesFor(context.runtime, resource),
    ]);
    decision = decideByRules(fresh, overrides);
    looks.push({ facts: fresh, overrides, decision });
  }
  const result = watch.result('Decide', task.input.attempt, { ...decision });
  const carry = withResults(task.carry, [result]);
  observe(context, { decide: { startedAt: watch.startedAt, looks } });
  switch (decision.kind) {
    case 'proceed':
      return { proceed: 'Initiate', carry };
    case 'ask':
      return ask(context, { resource, groups }, draft(context, resource, carry, decision.explanation));
    case 'refuse':
      return refuse(context, resource, {
        ...{ recovery: draft(context, resource, carry, decision.explanation), decision },
        look: looks.at(-1),
      });
  }
};

const gatherFacts = async (
  { runtime, task }: PhaseContext,
  resource: ResourceRecord,
  ageMaxMs: number,
): Promise<DecisionFacts> => {
  const snapshot = await runtime.fleet.snapshot(ageMaxMs);
  const labscape =
    snapshot.labscapes.get(resource.labscape) ?? (await runtime.fleet.labscape(resource.labscape));
  if (labscape === undefined) throw new Superseded(`labscape ${resource.labscape} is not known`);
  const { trigger } = task.input;
  const seen = isByPerson(trigger) ? undefined : await seenFleet(runtime, snapshot);
  return factsOf(snapshot, labscape, resource, trigger, runtime.clock.now(), seen?.get(labscape.id));
};

/** The record of a recovery that has not touched anything yet. */
export const draft = (
  context: PhaseContext,
  resource: ResourceRecord,
  phases: RecoveryRecord['phases'],
  reason: string,
): RecoveryRecord => {
  const evidence = phases.find((r) => r.name === 'Detect')?.detail ?? {};
  const time = (name: string): number | undefined =>
    typeof evidence[name] === 'number' ? evidence[name] : undefined;
  return {
    id: executionName(context.task.input),
    resource: resource.id,
    labscape: resource.labscape,
    trigger: context.task.input.trigger,
    status: 'running',
    reason,
    nextPhase: 'Initiate',
    attempt: context.task.input.attempt,
    epoch: resource.epoch,
    startedAt: phases[0]?.startedAt ?? context.runtime.clock.now(),
    endedAt: undefined,
    silentSince: time('silentSince'),
    verdictAt: time('verdictAt'),
    phases,
    moves: [],
    pending: [],
    demand: ZERO,
    rehomed: ZERO,
    waiting: undefined,
    chain: EMPTY_CHAIN,
  };
};

const ask = async (context: PhaseContext, held: Held, recovery: RecoveryRecord): Promise<PhaseAnswer> => {
  const { runtime } = context;
  const { resource } = held;
  const quote = summaryOf(await quoteHeld(runtime, [held], await runtime.fleet.snapshot()));
  const event = nextEvent(
    entityOf.recovery(recovery.id),
    EMPTY_CHAIN,
    originOf(requesterOf(context), runtime.clock),
    'recovery.awaiting-approval',
    { resource: resource.id, reason: recovery.reason, quote: quote.hash },
  );
  const waiting: RecoveryRecord = {
    ...recovery,
    status: 'awaiting-approval',
    waiting: { ...newWait('AwaitApproval', event.at), quote },
    chain: headOf(event),
  };
  const outcome = await runtime.store.transact(claimWrites(runtime.store, resource, waiting, event));
  if (outcome.kind !== 'done') throw new LostRace(`claim of ${resource.id}`);
  return { proceed: 'AwaitApproval', waitSeconds: APPROVAL_WAIT_MS / 1000, carry: recovery.phases };
};

interface Refusal {
  readonly recovery: RecoveryRecord;
  readonly decision: Extract<Decision, { kind: 'refuse' }>;
  /** What the rules looked at when they refused. */
  readonly look: Look | undefined;
}

const refuse = async (
  context: PhaseContext,
  resource: ResourceRecord,
  { recovery, decision, look }: Refusal,
): Promise<PhaseAnswer> => {
  const { runtime } = context;
  const origin = originOf(requesterOf(context), runtime.clock);
  const observed =
    decision.rule === 'mode-observe' && look !== undefined
      ? await observedBy(runtime, resource, {
          ...{ recovery: recovery.id, facts: look.facts, overrides: look.overrides },
          ...{ at: origin.at, rev: resource.chain.rev + 1 },
          beatMs: runtime.fleet.policyOf(resource.labscape)?.beatMs ?? 0,
        })
      : undefined;
  const body = {
    ...{ recovery: recovery.id, rule: decision.rule, explanation: decision.explanation },
    ...(observed === undefined ? {} : { would: observed.would, because: observed.because }),
  };
  const resourceEvent = nextEvent(
    entityOf.resource(resource.id),
    resource.chain,
    origin,
    'resource.recovery-refused',
    body,
  );
  const recoveryEvent = nextEvent(entityOf.recovery(recovery.id), EMPTY_CHAIN, origin, 'recovery.refused', {
    resource: resource.id,
    ...body,
  });
  const refused: RecoveryRecord = {
    ...recovery,
    status: 'refused',
    reason: `${decision.rule}: ${decision.explanation}`,
    nextPhase: undefined,
    endedAt: origin.at,
    chain: headOf(recoveryEvent),
  };
  const outcome = await runtime.store.transact([
    ...endingWrites(runtime.store, {
      resource,
      recovery: refused,
      phase: undefined,
      attempt: context.task.input.attempt,
      to: resource.status,
      reason: `recovery refused, ${decision.rule}: ${decision.explanation}`,
      epoch: resource.epoch,
      retryAt: origin.at + decision.retryAfterMs,
      flaps: resource.flaps,
      resourceEvent,
      recoveryEvent,
    }),
    ...(observed === undefined ? [] : [putObserved(runtime.store, observed)]),
  ]);
  if (outcome.kind !== 'done') throw new LostRace(`refusal for ${resource.id}`);
  await keepCapsule(context, refused);
  return { proceed: 'End' };
};
