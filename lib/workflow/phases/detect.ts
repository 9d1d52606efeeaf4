import { weigh } from '../../failover/evidence.ts';
import { judge } from '../../health/detector.ts';
import { leaseEndMs } from '../../services/health/hearing.ts';
import { changeStatus } from '../../services/registry/resources.ts';
import { executionName } from '../../services/runtime.ts';
import { readBeats } from '../../store/fleet/heartbeats.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { readRecovery } from '../../store/recovery/recoveries.ts';
import {
  endUnrecorded,
  goOn,
  isProblem,
  type PhaseAnswer,
  type PhaseContext,
  readOwnResource,
  requesterOf,
  stopwatch,
} from './context.ts';
import { Superseded } from './errors.ts';
import { observe } from './observed.ts';

/** From the evidence to a verdict: is there still something to recover, and is it this execution's to do? */
export const detect = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const resource = await readOwnResource(context);
  if (
    resource.recovery !== undefined ||
    resource.epoch !== task.input.epoch ||
    resource.attempt !== task.input.attempt
  ) {
    return resume(context, resource);
  }
  // What the controller itself is late by is nobody's silence.
  const readAt = runtime.clock.now();
  const [beats, labscape] = await Promise.all([
    readBeats(runtime.store, resource.labscape),
    runtime.fleet.labscape(resource.labscape),
  ]);
  // The budget runs from the evidence at hand to the verdict.
  const watch = stopwatch(context);
  if (labscape === undefined) throw new Superseded(`labscape ${resource.labscape} is not known`);
  const pulse = beats.pulses.get(resource.id);
  const policy = { beatMs: labscape.policy.beatMs, leaseEndMs: leaseEndMs(labscape.policy) };
  const judged = judge(pulse, readAt, policy);
  const { verdict, reason } = judged;
  const { status, failedBy } = resource;
  const { trigger } = task.input;
  const evidence = weigh({ trigger, status, failedBy, verdict });
  if (evidence === 'not-failed') return endUnrecorded(context, resource);
  if (evidence === 'beats-again') return falseAlarm(context, resource);
  const detail = {
    verdict,
    reason,
    status: resource.status,
    silentSince: pulse?.lastAt ?? null,
    verdictAt: resource.since,
  };
  const carry = [watch.result('Detect', task.input.attempt, detail)];
  const seen = { now: readAt, policy, pulse, trigger, resource, judged };
  observe(context, { detect: { startedAt: watch.startedAt, seen } });
  return { proceed: 'Decide', carry };
};

/** It beats again before anything was moved: nothing to do. */
const falseAlarm = async (context: PhaseContext, resource: ResourceRecord): Promise<PhaseAnswer> => {
  try {
    const change = {
      type: 'resource.healthy',
      to: 'healthy',
      reason: 'beating again before anything was moved',
      unlocked: true,
    } as const;
    await changeStatus(context.runtime, resource.id, change, requesterOf(context));
  } catch (error) {
    if (!isProblem(error)) throw error;
  }
  return endUnrecorded(context, resource);
};

/** A repeated task, or a newer attempt that takes a recovery over, goes on where the record stands. */
const resume = async (context: PhaseContext, resource: ResourceRecord): Promise<PhaseAnswer> => {
  const id = resource.recovery ?? executionName(context.task.input);
  const recovery = await readRecovery(context.runtime.store, id);
  if (
    recovery === undefined ||
    recovery.attempt !== context.task.input.attempt ||
    recovery.nextPhase === undefined
  ) {
    throw new Superseded(
      `resource ${resource.id} is at epoch ${resource.epoch}, attempt ${resource.attempt}`,
    );
  }
  return goOn(context, recovery);
};
