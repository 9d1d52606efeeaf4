import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { system } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { rebalance } from './rebalance.ts';

/** Of one labscape in one sweep. */
const MOVES_PER_SWEEP_MAX = 4;
/** Where a step found nothing that gains, the next one waits, monotonic ms: it would read the same groups again. */
const NOTHING_FOR_MS = 60_000;

type Seen = Pick<ResourceRecord, 'status' | 'recovery' | 'since' | 'lastRecoveryEndedAt'>;

/**
 * Whether everything about a labscape is calm: nothing of it is in trouble or recovers, and nothing came (back) within
 * its cool-down.
 */
export const isQuiet = (
  { policy, maintenance }: Pick<LabscapeRecord, 'policy' | 'maintenance'>,
  own: readonly Seen[],
  now: number,
): boolean =>
  policy.mode !== 'observe' &&
  !maintenance &&
  own.every(({ status, recovery, since, lastRecoveryEndedAt }) => {
    if (recovery !== undefined || ['suspect', 'failed', 'recovering'].includes(status)) return false;
    const cameAt = Math.max(lastRecoveryEndedAt ?? 0, status === 'healthy' ? since : 0);
    return cameAt <= now - policy.coolDownMs;
  });

/** Whether it is calm, and balances itself. */
export const isCalm = (
  labscape: Pick<LabscapeRecord, 'policy' | 'maintenance'>,
  own: readonly Seen[],
  now: number,
): boolean => labscape.policy.rebalance.mode === 'automatic' && isQuiet(labscape, own, now);

/** Labscapes where nothing gained lately, by name: until when no step is made, monotonic ms. */
const idleUntil = new WeakMap<Runtime, Map<string, number>>();

const idleOf = (runtime: Runtime): Map<string, number> => {
  const idle = idleUntil.get(runtime) ?? new Map<string, number>();
  idleUntil.set(runtime, idle);
  return idle;
};

/** One bounded step in each labscape that asks for it and is calm; how many groups were moved. */
export const rebalanceByItself = async (runtime: Runtime, request: string): Promise<number> => {
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const idle = idleOf(runtime);
  let moved = 0;
  for (const labscape of labscapes.values()) {
    if (labscape.policy.rebalance.mode !== 'automatic') continue;
    if ((idle.get(labscape.id) ?? 0) > runtime.clock.monotonicMs()) continue;
    const own = resources.filter((resource) => resource.labscape === labscape.id);
    if (!isCalm(labscape, own, runtime.clock.now())) continue;
    const answer = await rebalance(
      runtime,
      {
        goal: labscape.policy.rebalance.goal,
        labscapes: [labscape.id],
        dryRun: false,
        movesMax: MOVES_PER_SWEEP_MAX,
      },
      system('rebalance', request),
    );
    moved += answer.moves.filter(({ outcome }) => outcome === 'moved').length;
    if (answer.moves.length === 0) idle.set(labscape.id, runtime.clock.monotonicMs() + NOTHING_FOR_MS);
  }
  return moved;
};
