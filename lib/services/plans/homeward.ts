import { ProblemError } from '../../errors.ts';
import { FAILBACK_MOVES_DEFAULT } from '../../schemas/failback.ts';
import type { PlanRun, StepHome, StepProgress, StepTarget } from '../../schemas/recovery-plan.ts';
import { readResource } from '../../store/fleet/resources.ts';
import type { Requester } from '../origin.ts';
import { failback, homings } from '../rebalancing/failback.ts';
import type { Homing } from '../rebalancing/failback-plan.ts';
import type { Runtime } from '../runtime.ts';

/** No other resource is looked at after that, ms: one look is a part of one call, or of a sweep. */
const WORK_MS_MAX = 4_000;

const isHome = ({ outcome, reason }: Homing): boolean => outcome === 'moved' || reason === 'home';

/** `isSettled`: nobody will look again at what may still go. */
const homeOf = (
  { resource }: StepTarget,
  recovery: string,
  groups: readonly Homing[],
  isSettled: boolean,
): StepHome => {
  const away = groups.filter((one) => !isHome(one));
  const left = isSettled ? 0 : away.filter(({ later }) => later === true).length;
  const why: Record<string, number> = {};
  for (const { reason = 'next-step' } of away) why[reason] = (why[reason] ?? 0) + 1;
  return {
    ...{ resource, recovery, home: groups.length - away.length },
    ...{ stays: away.length - left, left, why },
  };
};

interface Going {
  readonly reason: string;
  readonly inTime: () => boolean;
  readonly requester: Requester;
}

/** Steps home to one resource, as many as may be made now; undefined: nothing was ever moved off it. */
const goHome = async (
  runtime: Runtime,
  target: StepTarget,
  { reason, inTime, requester }: Going,
): Promise<StepHome | undefined> => {
  const resource = await readResource(runtime.store, target.labscape, target.resource);
  const recovery = resource?.movedBy ?? target.movedBy;
  if (resource === undefined || recovery === undefined) return undefined;
  const isSettled = resource.movedBy === undefined || resource.status === 'retired';
  const asItStands = async (): Promise<StepHome> =>
    homeOf(target, recovery, await homings(runtime, resource, recovery), isSettled);
  if (isSettled || resource.status !== 'healthy') return asItStands();
  const ask = { reason, dryRun: false, movesMax: FAILBACK_MOVES_DEFAULT };
  try {
    for (;;) {
      const { groups } = await failback(runtime, target.resource, ask, requester);
      const isOn = groups.some(({ outcome }) => outcome === 'moved') && inTime();
      if (!isOn || !groups.some((one) => one.reason === 'next-step'))
        return homeOf(target, recovery, groups, false);
    }
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'not-in-this-state') throw error;
    return asItStands();
  }
};

/** Nothing is asked of it again. */
const nothingOf = ({ resource, movedBy = '' }: StepTarget): StepHome => ({
  ...{ resource, recovery: movedBy, home: 0, stays: 0, left: 0, why: {} },
});

/**
 * Takes home what may go now to the resources of a step, as the operation of one of them does it; how all that were
 * looked at stand, in their order. Those that nothing is left for are not looked at again. Where there is no time for all,
 * chance says who is first.
 */
export const takeHome = async (
  runtime: Runtime,
  run: PlanRun,
  { targets, homes = [] }: StepProgress,
  requester: Requester,
): Promise<StepHome[]> => {
  const untilMs = runtime.clock.monotonicMs() + WORK_MS_MAX;
  const inTime = (): boolean => runtime.clock.monotonicMs() < untilMs;
  const known = new Map(homes.map((one) => [one.resource, one]));
  const open = targets.filter(({ resource }) => known.get(resource)?.left !== 0);
  const first = Math.floor(runtime.chance.uniform() * open.length);
  const going = { reason: `plan ${run.plan}: ${run.reason}`.slice(0, 500), inTime, requester };
  for (const target of [...open.slice(first), ...open.slice(0, first)]) {
    if (!inTime()) break;
    known.set(target.resource, (await goHome(runtime, target, going)) ?? nothingOf(target));
  }
  return targets.flatMap(({ resource }) => known.get(resource) ?? []);
};
