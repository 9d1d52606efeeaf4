import { isFailbackDue } from '../../health/returning.ts';
import { system } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { failback } from './failback.ts';
import { isQuiet } from './rebalance-sweep.ts';

/** Of one resource in one sweep. */
const MOVES_PER_SWEEP_MAX = 4;
/** Where a step moved nothing, the next one waits; twice as long each time, up to the second, monotonic ms. */
const NOTHING_FOR_MS = 60_000;
const NOTHING_MOST_MS = 3_600_000;
interface Idle {
  readonly untilMs: number;
  readonly forMs: number;
}
/** By resource and recovery. */
const idleUntil = new WeakMap<Runtime, Map<string, Idle>>();

const idleOf = (runtime: Runtime): Map<string, Idle> => {
  const idle = idleUntil.get(runtime) ?? new Map<string, Idle>();
  idleUntil.set(runtime, idle);
  return idle;
};

/** A few groups go home to each resource that is due, where the labscape asks for it and is calm; how many did. */
export const failBackByItself = async (runtime: Runtime, request: string): Promise<number> => {
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const idle = idleOf(runtime);
  let moved = 0;
  for (const resource of resources) {
    const labscape = labscapes.get(resource.labscape);
    if (labscape?.policy.failback !== 'automatic') continue;
    const now = runtime.clock.now();
    if (!isFailbackDue(resource, now, labscape.policy)) continue;
    const own = resources.filter((one) => one.labscape === labscape.id);
    const key = `${resource.id} ${resource.movedBy}`;
    const known = idle.get(key);
    if ((known?.untilMs ?? 0) > runtime.clock.monotonicMs() || !isQuiet(labscape, own, now)) continue;
    const ask = { reason: 'policy of its labscape', dryRun: false, movesMax: MOVES_PER_SWEEP_MAX };
    const answer = await failback(runtime, resource.id, ask, system('failback', request));
    const went = answer.groups.filter(({ outcome }) => outcome === 'moved').length;
    moved += went;
    if (went > 0) idle.delete(key);
    else {
      const forMs = Math.min(NOTHING_MOST_MS, known === undefined ? NOTHING_FOR_MS : 2 * known.forMs);
      idle.set(key, { untilMs: runtime.clock.monotonicMs() + forMs, forMs });
    }
  }
  return moved;
};
