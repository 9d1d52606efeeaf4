import { arriving, heldAfter, seat } from '../../allocation/extras.ts';
import { offerFairly, type TenantUse, type Waiting } from '../../allocation/pending.ts';
import { STRATEGY_DEFAULT } from '../../allocation/strategy-rule.ts';
import type { Vector } from '../../schemas/common.ts';
import { readSlices, readTenant } from '../../store/access/tenants.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import { add, mapVector, subtract, sum } from '../../vector.ts';
import type { FleetResource } from '../fleet.ts';
import type { Requester } from '../origin.ts';
import { emptiestFor } from '../placement/emptiest.ts';
import type { Runtime } from '../runtime.ts';
import { placePending, rankedFor } from './place-pending.ts';

/** A group that waits, as fairness sees it. */
export type Queued = Waiting & { readonly group: GroupRecord };

/** Its first epoch: it never ran. What ran before was displaced, and may be of several tenants. */
export const queued = (group: GroupRecord): Queued => ({
  ...{ id: group.id, class: group.class, demand: group.demand, since: group.since, group },
  tenant: group.epoch === 1 ? group.tenant : undefined,
});

/** What failed over may use the reserve; what only waits for room may not. */
export const boundOf = (group: GroupRecord): 'fill' | 'limit' =>
  group.recovery === undefined ? 'fill' : 'limit';

/** Quotas count what waits too: what runs is the rest, as far as the given groups show it. */
export const usesOf = async (
  runtime: Runtime,
  waiting: readonly Queued[],
): Promise<ReadonlyMap<string, TenantUse>> => {
  const names = [...new Set(waiting.flatMap(({ tenant }) => (tenant === undefined ? [] : [tenant])))];
  // Alone, or among what was displaced: its share decides nothing.
  if (names.length < 2) return new Map();
  const uses = await Promise.all(
    names.map(async (name): Promise<[string, TenantUse]> => {
      const tenant = await readTenant(runtime.store, name);
      if (tenant === undefined) return [name, { used: sum([]), weight: 1 }];
      const all = sum((await readSlices(runtime.store, tenant)).map((slice) => slice.used));
      const waits = sum(waiting.filter((one) => one.tenant === name).map((one) => one.demand));
      const runs = subtract(all, waits);
      return [name, { used: mapVector((d) => Math.max(0, runs[d])), weight: tenant.weight }];
    }),
  );
  return new Map(uses);
};

interface Offers {
  readonly placed: readonly { readonly one: Queued; readonly resource: string }[];
  readonly missed: readonly Queued[];
}

/** How many of a strategy's choices are looked at for one that still has room in the plan. */
const CHOICES_MAX = 8;

/** Where its strategy would have it, best first. Least-loaded alone asks the copy, which knows what the plan adds. */
export const preferred = (runtime: Runtime, group: GroupRecord): readonly string[] =>
  runtime.fleet.strategyFor(group.strategy, group.constraints).name === STRATEGY_DEFAULT
    ? []
    : rankedFor(runtime, group, boundOf(group), CHOICES_MAX).map(({ id }) => id);

interface OfferInput {
  readonly waiting: readonly Queued[];
  readonly tenants: ReadonlyMap<string, TenantUse>;
  readonly fleet: readonly FleetResource[];
  readonly total: Vector;
  readonly now: number;
  /** Resources in the order in which a group would have them; the emptiest otherwise. */
  readonly prefer: (group: GroupRecord) => readonly string[];
}

/** Plans for all of them on a copy of the fleet, in the fair order. */
export const planOffers = ({ waiting, tenants, fleet, total, now, prefer }: OfferInput): Offers => {
  const copy = new Map(fleet.map((resource) => [resource.id, resource]));
  const placed: { one: Queued; resource: string }[] = [];
  const missed: Queued[] = [];
  const homeOf = (group: GroupRecord): FleetResource | undefined => {
    for (const id of prefer(group)) {
      const resource = copy.get(id);
      if (resource !== undefined && emptiestFor(group, [resource], boundOf(group)) !== undefined)
        return resource;
    }
    return emptiestFor(group, [...copy.values()], boundOf(group));
  };
  const attempt = (one: Queued): boolean => {
    const { group } = one;
    const home = homeOf(group);
    const seated = home && seat(home, group);
    const extras = home && seated && arriving(home, [seated]);
    if (home === undefined || extras === undefined) {
      missed.push(one);
      return false;
    }
    placed.push({ one, resource: home.id });
    const groups = [...home.groups, { kind: group.kind, group: group.id }];
    const held = heldAfter(home, extras, 'came');
    copy.set(home.id, { ...home, ...held, used: add(home.used, group.demand), groups });
    return true;
  };
  offerFairly({ waiting, tenants, total, now, attempt });
  return { placed, missed };
};

/** What the healthy resources offer to all tenants together. */
export const shared = (fleet: readonly ResourceRecord[]): Vector =>
  sum(fleet.filter(({ status }) => status === 'healthy').map(({ fill }) => fill));

/** Commits a plan in its order; what lost its race counts as missed. */
export const carryOut = async (
  runtime: Runtime,
  { placed, missed }: Offers,
  requester: Requester,
  most: number,
): Promise<{ readonly placed: number; readonly missed: readonly Queued[] }> => {
  const left = [...missed];
  let count = 0;
  for (const { one, resource } of placed.slice(0, most)) {
    const home = await placePending(runtime, one.id, boundOf(one.group), requester, resource);
    if (home.kind === 'placed') count += 1;
    if (home.kind === 'nowhere') left.push(one);
  }
  return { placed: count, missed: left };
};
