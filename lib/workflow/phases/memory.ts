import type { Runtime } from '../../services/runtime.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import type { RecoveryBrief } from '../../store/recovery/recovery-briefs.ts';

/** What a warm function knows of a recovery from the phase before: saves reads, never decides. */
export interface Memory {
  readonly recovery?: RecoveryRecord;
  /** The resource's groups as read while the rules were asked; the flip's conditions tell if one has changed since. */
  readonly groups?: readonly GroupRecord[];
  /** What whoever started it left for it; null: nothing. */
  readonly brief?: RecoveryBrief | null;
  /** The failed resource as the fence left it. */
  readonly source?: ResourceRecord;
}

const RECOVERIES_MAX = 200;
const memories = new WeakMap<Runtime, Map<string, Memory>>();

const of = (runtime: Runtime): Map<string, Memory> => {
  const known = memories.get(runtime);
  if (known !== undefined) return known;
  const fresh = new Map<string, Memory>();
  memories.set(runtime, fresh);
  return fresh;
};

/** Every use is backed by a condition on what is remembered; a refused write forgets. */
export const remember = (runtime: Runtime, execution: string, memory: Memory): void => {
  const all = of(runtime);
  if (all.size >= RECOVERIES_MAX) all.clear();
  all.set(execution, memory);
};

/** What this warm function knows of an execution; undefined: another one ran its phases, or it was forgotten. */
export const recall = (runtime: Runtime, execution: string): Memory | undefined => of(runtime).get(execution);

/** The next phase reads again. */
export const forget = (runtime: Runtime, execution: string): void => {
  of(runtime).delete(execution);
};
