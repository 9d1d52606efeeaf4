import { entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { originOf } from '../../services/origin.ts';
import { fenceWaitMs } from '../../services/recovery/fence-wait.ts';
import { REJECTED } from '../../services/recovery/waits.ts';
import { pauseAfterRace, TRIES_MAX } from '../../services/retry.ts';
import { executionName } from '../../services/runtime.ts';
import { readBeats } from '../../store/fleet/heartbeats.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { type RecoveryRecord, readRecovery } from '../../store/recovery/recoveries.ts';
import { fenceWrites } from '../../store/recovery/recovery-writes.ts';
import {
  goOn,
  newWait,
  type PhaseAnswer,
  type PhaseContext,
  readOwnResource,
  requesterOf,
  settleWait,
  stateAfter,
  stopwatch,
  withResults,
} from './context.ts';
import { draft } from './decide.ts';
import { Cancelled, LostRace, Rejected, Superseded } from './errors.ts';
import { recall, remember } from './memory.ts';
import { observe } from './observed.ts';

/**
 * The fence, one transaction: epoch + 1, the lock, the recovery, the event. Releases and status events come in between
 * as long as nothing is fenced; that is no reason to wait a second for the state machine's retry.
 */
export const initiate = async (context: PhaseContext): Promise<PhaseAnswer> => {
  const { runtime, task } = context;
  const name = executionName(task.input);
  let watch = stopwatch(context);
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const resource = await readOwnResource(context);
    // One that was approved is claimed already: by this execution, or by one before, from which this took it over.
    const id = resource.recovery ?? name;
    const claimed = resource.recovery !== undefined;
    const existing = claimed ? await readRecovery(runtime.store, id) : undefined;
    const { attempt: own } = task.input;
    if (resource.attempt !== own || (claimed && existing?.attempt !== own)) {
      throw new Superseded(`resource ${resource.id} is owned by ${resource.recovery ?? 'a newer attempt'}`);
    }
    if (existing !== undefined && existing.nextPhase !== 'Initiate') return goOn(context, existing);
    if (existing?.cancel !== undefined) throw new Cancelled(`recovery ${id}: ${existing.cancel}`);
    if (existing?.waiting?.answer === REJECTED) throw new Rejected(`recovery ${id} was rejected`);
    if (existing !== undefined && existing.waiting?.answer !== 'approve') {
      throw new Superseded(`recovery ${id} was not approved`);
    }
    if (resource.epoch !== task.input.epoch)
      throw new Superseded(`resource ${resource.id} is at epoch ${resource.epoch}`);
    const [beats, labscape] = await Promise.all([
      readBeats(runtime.store, resource.labscape),
      runtime.fleet.labscape(resource.labscape),
    ]);
    if (labscape === undefined) throw new Superseded(`labscape ${resource.labscape} is not known`);
    // The picture is at hand: from here the budget of the fence runs.
    watch = stopwatch(context);
    // Once: the lease may end between two looks, and the record and the answer must agree.
    const question = { resource: resource.id, trigger: task.input.trigger, now: runtime.clock.now() };
    const ms = fenceWaitMs(labscape, beats, question);
    const recovery = fenced(context, resource, existing, ms);
    const event = nextEvent(
      entityOf.resource(resource.id),
      resource.chain,
      originOf(requesterOf(context), runtime.clock),
      'resource.fenced',
      { recovery: id, epoch: recovery.epoch, trigger: task.input.trigger },
    );
    const outcome = await runtime.store.transact(
      fenceWrites(runtime.store, resource, recovery, event, existing),
    );
    if (outcome.kind !== 'done') {
      await pauseAfterRace(runtime, attempt);
      continue;
    }
    const source: ResourceRecord = {
      ...resource,
      status: 'recovering',
      epoch: recovery.epoch,
      recovery: id,
      chain: headOf(event),
      assignmentRevision: resource.assignmentRevision + 1,
    };
    const { groups, brief } = recall(runtime, name) ?? {};
    remember(runtime, name, {
      ...{ recovery, source },
      ...(groups === undefined ? {} : { groups }),
      ...(brief === undefined ? {} : { brief }),
    });
    observe(context, { initiate: { question, labscape, beats, fenceWaitMs: ms } });
    runtime.fleet.learn(source);
    return {
      proceed: stateAfter(recovery),
      ...(ms === 0 ? {} : { waitSeconds: Math.ceil(ms / 1000) }),
      carry: withResults(task.carry, [
        watch.result('Initiate', task.input.attempt, { epoch: recovery.epoch, fenceWaitMs: ms }),
      ]),
    };
  }
  throw new LostRace(`fence of ${task.input.resource}`);
};

const fenced = (
  context: PhaseContext,
  resource: ResourceRecord,
  existing: RecoveryRecord | undefined,
  /** How long the old owner may still run its work, ms. */
  ms: number,
): RecoveryRecord => {
  const now = context.runtime.clock.now();
  const decided = context.task.carry.find((r) => r.name === 'Detect')?.detail['reason'];
  const base =
    existing === undefined
      ? draft(
          context,
          resource,
          context.task.carry,
          typeof decided === 'string' ? decided : context.task.input.trigger,
        )
      : settleWait(existing, now);
  return {
    ...base,
    status: 'running',
    nextPhase: 'Failover',
    epoch: resource.epoch + 1,
    waiting: ms === 0 ? undefined : newWait('AwaitFence', now),
    phases: withResults(base.phases, context.task.carry),
  };
};
