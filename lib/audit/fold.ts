import type * as z from 'zod';
import type { AuditEvent } from '../schemas/audit.ts';
import { spreadMark } from '../spread.ts';
import { add, sum, ZERO } from '../vector.ts';
import { groupByEntity } from './chain.ts';
import { foldAllocation, foldResource, foldRestore } from './fold-entity.ts';
import { holdingsOf } from './fold-holdings.ts';
import type { Claim, Findings, FoldedGroup, FoldedResource, FoldedState } from './fold-state.ts';

type Event = z.output<typeof AuditEvent>;

/** Entities that neither own nor hold anything: their chains are checked, and there is nothing to add up. */
const WITHOUT_SUMS: ReadonlySet<string> = new Set([
  'labscape',
  'tenant',
  'principal',
  'recovery',
  'override',
  'plan',
  'backup',
  'incident',
]);

/**
 * Rebuilds the state from events alone: each entity is replayed in the order of its own revisions, each group
 * belongs to its greatest epoch, then amounts are added up. The order in which events of different entities come has
 * no influence. Pure.
 */
export function foldEvents(events: Iterable<Event>): FoldedState {
  const fold = new Fold();
  for (const [entity, chain] of groupByEntity(events)) fold.add(entity, chain);
  return fold.state();
}

/** The same of chains that come one by one, so that their events need not be in memory together. */
export class Fold {
  readonly #found: Findings = {
    resources: new Map(),
    allocations: new Map(),
    claims: [],
    closed: new Set(),
    faults: [],
  };

  /** Replays an entity's events, all of them, in order; each entity once. */
  add(entity: string, chain: readonly Event[]): void {
    const found = this.#found;
    found.faults.push(...revisionFaults(entity, chain));
    const kind = entity.slice(0, entity.indexOf('#'));
    if (kind === 'allocation') foldAllocation(entity, chain, found);
    else if (kind === 'resource') foldResource(entity, chain, found);
    else if (kind === 'restore') foldRestore(chain, found);
    else if (!WITHOUT_SUMS.has(kind)) found.faults.push(`${entity}: an unknown kind of entity`);
  }

  /** Once all chains were added. */
  state(): FoldedState {
    return addUp(this.#found);
  }
}

/** Revisions are 1…n; what is amiss with hashes is verifyChain's to say. */
function revisionFaults(entity: string, chain: readonly Event[]): string[] {
  const wrong = chain.findIndex(({ rev }, i) => rev !== i + 1);
  return wrong < 0 ? [] : [`${entity}: revision ${wrong + 1} is missing or there twice`];
}

function addUp({ resources, allocations, claims, closed, faults }: Findings): FoldedState {
  const groups = ownersOf(claims, closed, faults);
  for (const { group, demand, status, tenant, id, milli, constraints } of allocations.values()) {
    if (status !== 'active') continue;
    const home = groups.get(group);
    if (home === undefined) faults.push(`allocation ${tenant}#${id}: its group ${group} was never born`);
    else
      groups.set(group, {
        ...home,
        count: home.count + 1,
        demand: add(home.demand, demand),
        milli: home.milli + milli,
        mark: spreadMark({ id: group, constraints }),
      });
  }
  const held = new Map<string, FoldedGroup[]>();
  for (const group of groups.values()) {
    const { id, resource, status, count } = group;
    if (status === 'closed' && count > 0) faults.push(`group ${id}: closed with ${count} members`);
    if (resource === undefined) continue;
    if (!resources.has(resource)) faults.push(`group ${id}: its owner ${resource} was never registered`);
    held.set(resource, [...(held.get(resource) ?? []), group]);
  }
  const full = (resource: Omit<FoldedResource, 'used' | 'groups' | 'spread'>): FoldedResource => {
    const own = held.get(resource.id) ?? [];
    return {
      ...resource,
      used: sum(own.map(({ demand }) => demand)),
      groups: own.map(({ id }) => id),
      ...holdingsOf(resource, own, faults),
    };
  };
  return {
    resources: new Map([...resources].map(([id, resource]) => [id, full(resource)])),
    groups,
    allocations,
    faults,
  };
}

/** Per group, the claim with the greatest epoch; epochs must be 1…n, each once, and each names the owner before. */
function ownersOf(
  claims: readonly Claim[],
  closed: ReadonlySet<string>,
  faults: string[],
): Map<string, FoldedGroup> {
  const byGroup = new Map<string, Claim[]>();
  for (const claim of claims) {
    const known = byGroup.get(claim.group);
    if (known === undefined) byGroup.set(claim.group, [claim]);
    else known.push(claim);
  }
  const groups = new Map<string, FoldedGroup>();
  for (const [id, history] of byGroup) {
    history.sort((a, b) => a.epoch - b.epoch);
    faults.push(...historyFaults(id, history));
    const last = history.at(-1);
    if (last === undefined) continue;
    const gone = closed.has(id);
    groups.set(id, {
      id,
      status: gone ? 'closed' : last.owner === undefined ? 'pending' : 'placed',
      epoch: last.epoch,
      epochs: history.map(({ epoch }) => epoch),
      resource: gone ? undefined : last.owner,
      count: 0,
      demand: ZERO,
      deviceMap: last.devices,
      milli: 0,
      mark: undefined,
    });
  }
  return groups;
}

/** By one; a restore leaves room for epochs that were lost. */
const follows = (before: Claim, after: Claim): boolean =>
  after.restored === true ? after.epoch > before.epoch : after.epoch === before.epoch + 1;

function historyFaults(group: string, history: readonly Claim[]): string[] {
  const faults: string[] = [];
  let before: Claim | undefined;
  for (const [i, claim] of history.entries()) {
    if (before !== undefined && claim.epoch === before.epoch) {
      faults.push(`group ${group}: epoch ${claim.epoch} appears twice, in ${before.by} and ${claim.by}`);
    } else if (before === undefined ? claim.epoch !== 1 : !follows(before, claim)) {
      faults.push(`group ${group}: epoch ${before === undefined ? 1 : before.epoch + 1} is missing`);
    } else if (i > 0 && claim.from !== before?.owner) {
      faults.push(
        `group ${group}: ${claim.by} takes it from ${claim.from ?? 'nobody'}, its owner was ${before?.owner ?? 'nobody'}`,
      );
    }
    before = claim;
  }
  return faults;
}
