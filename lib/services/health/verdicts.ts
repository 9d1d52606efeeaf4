import { ProblemError } from '../../errors.ts';
import { type DetectorPolicy, rises } from '../../health/detector.ts';
import { type StatusStep, stepFor, type Watched } from '../../health/transition.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { system } from '../origin.ts';
import { changeStatus } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';
import { type Heard, leaseEndMs } from './hearing.ts';
import type { Sight } from './sight.ts';

/** What a verdict needs of a resource. */
export type Judgeable = Pick<ResourceRecord, 'id' | 'status' | 'epoch' | 'failedBy' | 'retryAt' | 'recovery'>;

const watchedOf = (resource: Judgeable): Watched => ({
  status: resource.status,
  epoch: resource.epoch,
  failedBy: resource.failedBy,
  refused: resource.retryAt !== undefined,
  locked: resource.recovery !== undefined,
});

/** Whether verdicts on silence must wait: the controller hears again only since less than a lease, or does not. */
export const mustStay = ({ beats, policy, readAt }: Heard, since: number | undefined): boolean =>
  since === undefined || readAt < beats.graceUntil || readAt < since + leaseEndMs(policy);

/** How the detector looks at a labscape's resources. */
export const detectorFor = (
  resources: readonly Pick<Judgeable, 'id'>[],
  { beats, policy }: Heard,
): DetectorPolicy => {
  let rising = 0;
  for (const { id } of resources) {
    const pulse = beats.pulses.get(id);
    if (pulse !== undefined && rises(pulse) !== undefined) rising += 1;
  }
  return {
    beatMs: policy.beatMs,
    leaseEndMs: leaseEndMs(policy),
    risesAreCommon: rising > 1 && rising > COMMON_SHARE * resources.length,
  };
};

/** Share of a labscape's resources above which what rises on them has another cause than each of them. */
const COMMON_SHARE = 1 / 2;

/**
 * What the evidence makes of the given resources of one labscape. One in its grace keeps its verdicts, and so does one
 * that a controller judges which may be blind.
 */
export const stepsOf = <R extends Judgeable>(
  resources: readonly R[],
  heard: Heard,
  sight: Sight,
): readonly { readonly resource: R; readonly step: StatusStep }[] => {
  const { beats, readAt: now, policy } = heard;
  // Off is total: what is heard is shown, and nothing is made of it.
  if (policy.mode === 'off') return [];
  if (mustStay(heard, sight.suspecting)) return [];
  const mayFail = !mustStay(heard, sight.failing) && !sight.frozen.has(beats.labscape);
  const detector = detectorFor(resources, heard);
  return resources.flatMap((resource) => {
    const said = sight.testimony.get(resource.id);
    const step = stepFor(watchedOf(resource), beats.pulses.get(resource.id), now, detector, said);
    if (step?.to !== 'failed' || mayFail) return step === undefined ? [] : [{ resource, step }];
    // What may not fail yet takes no new work.
    return resource.status === 'healthy' ? [{ resource, step: { ...step, to: 'suspect' as const } }] : [];
  });
};

/** Writes what the evidence makes of a labscape's resources; starts recoveries where a verdict fell. */
export const judgeLabscape = async (
  runtime: Runtime,
  resources: readonly ResourceRecord[],
  heard: Heard,
  request: string,
  sight: Sight,
): Promise<readonly string[]> => {
  const steps = stepsOf(resources, heard, sight);
  const started = await Promise.all(
    steps.map(({ resource, step }) => applyStep(runtime, resource, step, request)),
  );
  return started.flatMap((id) => (id === undefined ? [] : [id]));
};

/** Writes the step if it still holds; somebody else having been faster is fine. */
const applyStep = async (
  runtime: Runtime,
  resource: ResourceRecord,
  step: StatusStep,
  request: string,
): Promise<string | undefined> => {
  const { id, chain } = resource;
  try {
    const after = await changeStatus(
      runtime,
      id,
      {
        type: `resource.${step.to}`,
        to: step.to,
        reason: step.reason,
        unlocked: true,
        ...(step.to === 'failed' ? { failedBy: 'detector' as const } : {}),
        ...(step.returns === true ? { returned: true } : {}),
      },
      system('detector', request),
      // Somebody may have heard it since, and have taken the verdict back.
      chain,
    );
    // What waits may have room again.
    if (step.to === 'healthy') await wakeFor(runtime, after, request, 'came');
    if (step.to !== 'failed') return undefined;
    runtime.onFailure(after.labscape);
    if (!runtime.detectorStarts) return undefined;
    await runtime.executions.start({
      resource: id,
      epoch: after.epoch,
      attempt: after.attempt,
      trigger: 'detector',
    });
    return id;
  } catch (error) {
    if (error instanceof ProblemError && (error.code === 'not-in-this-state' || error.code === 'unavailable'))
      return undefined;
    throw error;
  }
};
