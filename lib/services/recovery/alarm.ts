import { ProblemError } from '../../errors.ts';
import { targetOfAlarm } from '../../failover/alarm-target.ts';
import type { AlarmBinding, AlarmMessage } from '../../schemas/alarm.ts';
import { type ResourceRecord, resourcesOf } from '../../store/fleet/resources.ts';
import { system } from '../origin.ts';
import { changeStatus, getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { isOff } from './switched-off.ts';

export interface AlarmPolicy {
  readonly bindings: readonly AlarmBinding[];
  /** Accounts whose alarms count. */
  readonly accounts: readonly string[];
}

export interface AlarmOutcome {
  readonly alarm: string;
  /** Why nothing was done, if so. */
  readonly ignored?: string;
  readonly started: readonly string[];
}

/** An alarm came: one execution per failed resource that no recovery owns. The same alarm twice is one recovery. */
export const takeAlarm = async (
  runtime: Runtime,
  message: AlarmMessage,
  policy: AlarmPolicy,
  request: string,
): Promise<AlarmOutcome> => {
  const target = targetOfAlarm(message, policy.bindings, policy.accounts);
  if (target.kind === 'ignored') return { alarm: message.AlarmName, ignored: target.why, started: [] };
  const off = await isOff(
    runtime,
    target.kind === 'labscape' ? target.labscape : (await getResource(runtime, target.resource)).labscape,
  );
  if (off) return { alarm: message.AlarmName, ignored: 'mode-off', started: [] };
  const failed =
    target.kind === 'labscape'
      ? (await resourcesOf(runtime.store, target.labscape, true)).filter((r) => r.status === 'failed')
      : await failByAlarm(runtime, target.resource, message, request);
  const unowned = failed.filter((resource) => resource.recovery === undefined);
  const started = await Promise.all(
    unowned.map(async (resource) => {
      const outcome = await runtime.executions.start({
        resource: resource.id,
        epoch: resource.epoch,
        attempt: resource.attempt,
        trigger: 'alarm',
      });
      return outcome === 'started' ? [resource.id] : [];
    }),
  );
  return { alarm: message.AlarmName, started: started.flat() };
};

/** An alarm that its owner bound to a resource is a verdict on that resource. */
const failByAlarm = async (
  runtime: Runtime,
  id: string,
  message: AlarmMessage,
  request: string,
): Promise<readonly ResourceRecord[]> => {
  const resource = await getResource(runtime, id);
  if (resource.status === 'failed') return [resource];
  try {
    const change = {
      type: 'resource.failed',
      to: 'failed',
      reason: `alarm ${message.AlarmName}: ${message.NewStateReason}`.slice(0, 500),
      failedBy: 'alarm',
      unlocked: true,
    } as const;
    return [await changeStatus(runtime, id, change, system('alarm', request))];
  } catch (error) {
    // It is being recovered already, or is not in service.
    if (error instanceof ProblemError && error.code === 'not-in-this-state') return [];
    throw error;
  }
};
