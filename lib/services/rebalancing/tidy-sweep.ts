import { GROUPS_BORN_MAX } from '../../allocation/groups.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { system } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { isQuiet } from './rebalance-sweep.ts';
import { type TidyAnswer, tidyGroups } from './tidy.ts';
import { STAYS_FOR_GOOD } from './tidy-view.ts';

/** Of one labscape in one sweep. */
const TRANSACTIONS_PER_SWEEP_MAX = 4;
/** A full resource that had nothing to merge is looked at again after so long, monotonic ms. */
const NOTHING_FOR_MS = 60_000;

/** A resource that had nothing to tidy, as it was then. */
interface Looked {
  readonly cfg: number;
  readonly groups: ReadonlySet<string>;
  readonly untilMs: number;
}

const lookedAt = new WeakMap<Runtime, Map<string, Looked>>();

const lookedOf = (runtime: Runtime): Map<string, Looked> => {
  const looked = lookedAt.get(runtime) ?? new Map<string, Looked>();
  lookedAt.set(runtime, looked);
  return looked;
};

/**
 * A group is too large when it comes from a larger resource, or when its own becomes smaller: no placement makes it so.
 * Whether merges help a full resource changes with its members, which it does not show: after a while it is looked at.
 */
const needsLook = ({ cfg, groups }: ResourceRecord, looked: Looked | undefined, nowMs: number): boolean =>
  groups.length > 0 &&
  (looked === undefined ||
    looked.cfg !== cfg ||
    groups.some(({ group }) => !looked.groups.has(group)) ||
    (groups.length >= GROUPS_BORN_MAX && looked.untilMs <= nowMs));

/** Whether the answer stays the same as long as nothing new comes. */
const isNothing = ({ tidied, leftAlone }: TidyAnswer): boolean =>
  tidied.length === 0 && Object.keys(leftAlone).every((reason) => STAYS_FOR_GOOD.has(reason));

/**
 * A few transactions in each labscape that is calm, where a resource bears no more groups or one is too large; how many
 * were made. Labscapes that move work by hand only are tidied too: nothing moves, and nothing restarts.
 */
export const tidyByItself = async (runtime: Runtime, request: string): Promise<number> => {
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const looked = lookedOf(runtime);
  const nowMs = runtime.clock.monotonicMs();
  let made = 0;
  for (const labscape of labscapes.values()) {
    const { id, policy } = labscape;
    if (policy.rebalance.mode === 'off') continue;
    const own = resources.filter((resource) => resource.labscape === id);
    const looking = own.filter((resource) => needsLook(resource, looked.get(resource.id), nowMs));
    if (looking.length === 0 || !isQuiet(labscape, own, runtime.clock.now())) continue;
    const fresh = await runtime.fleet.snapshot(0);
    const answer = await tidyGroups(
      runtime,
      {
        labscapes: [{ id, leaseMs: policy.leaseMs }],
        resources: fresh.resources,
        only: new Set(looking.map((resource) => resource.id)),
        ...{ dryRun: false, stepsMax: TRANSACTIONS_PER_SWEEP_MAX, onlyNeeded: true },
      },
      system('tidy', request),
    );
    for (const { outcome, transactions } of answer.tidied) if (outcome !== 'skipped') made += transactions;
    if (!isNothing(answer)) continue;
    for (const { id: resource, cfg, groups } of looking) {
      const known = new Set(groups.map(({ group }) => group));
      looked.set(resource, { cfg, groups: known, untilMs: nowMs + NOTHING_FOR_MS });
    }
  }
  return made;
};
