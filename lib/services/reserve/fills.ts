import { fillOf } from '../../allocation/limits.ts';
import { fillAt, reserveShare } from '../../allocation/reserve.ts';
import { entityOf, nextEvent } from '../../audit/event.ts';
import { changing } from '../../errors.ts';
import type { Vector } from '../../schemas/common.ts';
import { fillsFollowed, setShare } from '../../store/fleet/fill-writes.ts';
import { editResourceWrites } from '../../store/fleet/fleet-writes.ts';
import { type LabscapeRecord, readLabscape } from '../../store/fleet/labscapes.ts';
import { type ResourceRecord, resourcesOf } from '../../store/fleet/resources.ts';
import { equals, lesser } from '../../vector.ts';
import { originOf, type Requester } from '../origin.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

/** Resources of one transaction: each is two items, and the labscape is one. */
const EDITS_MAX = 24;
/** Looks at a labscape before the rest is left to the sweep. */
const LOOKS_MAX = 24;

type Limited = Pick<ResourceRecord, 'id' | 'limit'>;

const isCounted = ({ status }: ResourceRecord): boolean => status !== 'retired';

const shareOf = (resources: readonly Limited[]): number => reserveShare(resources.map(({ limit }) => limit));

/** What the labscape's policy gives a resource of this limit to placement. */
export const fillUnder = ({ policy, fills }: LabscapeRecord, limit: Vector): Vector =>
  policy.fill === 'n+1' ? fillAt(limit, fills?.share ?? 0) : fillOf(limit, policy.fill);

/** Whether all fills of a labscape are what they should be, as far as this picture shows. */
export const isFilled = (labscape: LabscapeRecord, all: readonly ResourceRecord[]): boolean => {
  const counted = all.filter(isCounted);
  if (labscape.policy.fill === 'n+1' && labscape.fills?.share !== shareOf(counted)) return false;
  return counted.every(({ fill, limit }) => equals(fill, fillUnder(labscape, limit)));
};

/** The resources as they will be, whose fills are lowered before that; `id` is the one that changes. */
export interface Future {
  readonly id: string;
  readonly of: (resources: readonly Limited[]) => readonly Limited[];
}

type Step = 'settled' | 'again';

/**
 * One step on the way of all fills of a labscape: the share that they follow is lowered first, then every fill, then the
 * share is raised, then every fill. So at each moment each fill is at most the one before or the one after, and whoever
 * finds it half done goes on from what is written. Towards a `future` it only goes down.
 */
const step = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  counted: readonly ResourceRecord[],
  requester: Requester,
  future: Future | undefined,
): Promise<Step> => {
  const { fills } = labscape;
  if (fills !== undefined) {
    const now = shareOf(counted);
    const goal = future === undefined ? now : Math.min(now, fills.share, shareOf(future.of(counted)));
    const lower = counted.filter(({ id }) => id !== future?.id);
    if (goal < fills.share) return moveShare(runtime, labscape, goal);
    const kept = await follow(runtime, labscape, lower, requester, lesser);
    if (kept === 'again') return kept;
    if (goal > fills.share) return moveShare(runtime, labscape, goal);
  }
  return future === undefined ? follow(runtime, labscape, counted, requester, (_, want) => want) : 'settled';
};

const moveShare = async (runtime: Runtime, labscape: LabscapeRecord, share: number): Promise<Step> => {
  await setShare(runtime.store, labscape, share);
  return 'again';
};

/** Gives resources the fill that `choose` makes of the one they have and the one they should have. */
const follow = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  resources: readonly ResourceRecord[],
  requester: Requester,
  choose: (has: Vector, want: Vector) => Vector,
): Promise<Step> => {
  const edits = resources.flatMap((before) => {
    const fill = choose(before.fill, fillUnder(labscape, before.limit));
    return equals(fill, before.fill) ? [] : [{ before, after: { ...before, fill, cfg: before.cfg + 1 } }];
  });
  for (let at = 0; at < edits.length; at += EDITS_MAX) {
    const origin = originOf(requester, runtime.clock);
    const writes = edits.slice(at, at + EDITS_MAX).flatMap(({ before, after }) => {
      const { capacity, labels, fill } = after;
      const reason = `fill follows the labscape: ${labscape.policy.fill}`;
      const body = { capacity, labels, fill, reason };
      const event = nextEvent(entityOf.resource(before.id), before.chain, origin, 'resource.edited', body);
      return editResourceWrites(runtime.store, before, after, event);
    });
    const followed = fillsFollowed(runtime.store, labscape, origin.at);
    const outcome = await runtime.store.transact([followed, ...writes]);
    if (outcome.kind !== 'done') return 'again';
  }
  return edits.length === 0 ? 'settled' : 'again';
};

/** Undefined: there is no such labscape, or others were faster too often. */
const settle = async (
  runtime: Runtime,
  id: string,
  requester: Requester,
  future?: Future,
): Promise<LabscapeRecord | undefined> => {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const labscape = await readLabscape(runtime.store, id);
    if (labscape === undefined) return undefined;
    const counted = (await resourcesOf(runtime.store, id, true)).filter(isCounted);
    if ((await step(runtime, labscape, counted, requester, future)) === 'settled') return labscape;
    // The first looks are its own steps; many more are a race.
    if (look > 6) await pauseAfterRace(runtime, look - 6);
  }
  return undefined;
};

/** Lowers the fills to what holds after a change too. The change must then find the labscape as it is given back. */
export const lowerFills = async (
  runtime: Runtime,
  labscape: string,
  requester: Requester,
  future: Future,
): Promise<LabscapeRecord> => {
  const settled = await settle(runtime, labscape, requester, future);
  if (settled !== undefined) return settled;
  throw changing(`labscape ${labscape}`);
};

/** Brings all fills of a labscape to what its policy says now. What an outage leaves half done is the sweep's. */
export const followFills = async (
  runtime: Runtime,
  labscape: string,
  requester: Requester,
): Promise<void> => {
  try {
    await settle(runtime, labscape, requester);
    await runtime.fleet.snapshot(0);
  } catch (error) {
    if (error instanceof Error && (error.name === 'StoreUnavailable' || error.name === 'Throttled')) return;
    throw error;
  }
};
