import type { Vector } from '../schemas/common.ts';
import { add, dominantShare, sum, ZERO } from '../vector.ts';
import type { Candidate } from './candidate.ts';
import type { DeviceMap } from './devices.ts';
import { ineligible } from './eligibility.ts';
import { arriving, heldAfter, seat } from './extras.ts';
import { closeBoundOf, GROUPS_BORN_MAX, isLarge } from './groups.ts';
import type { PlacementRequest } from './request.ts';
import { isCrowded } from './spread.ts';

/** What one transaction holds. */
export const GANG_ITEMS_MAX = 100;

export interface GangMember {
  readonly index: number;
  readonly request: PlacementRequest & { readonly kind: string };
}

/** Members that come into one group of a resource: one that is there, or one that is born for them. */
export interface GangGroup<C extends Candidate> {
  readonly target: C;
  readonly kind: string;
  /** Undefined: it is born. */
  readonly joins: string | undefined;
  readonly members: readonly number[];
  readonly demand: Vector;
  /** The devices that it gets; it has one member then. */
  readonly deviceMap?: DeviceMap | undefined;
  /** Without the last member: the group must still take one more after these. */
  readonly before: Vector;
}

export type GangPlan<C extends Candidate> =
  | { readonly kind: 'planned'; readonly groups: readonly GangGroup<C>[]; readonly items: number }
  /** All or nothing: what the first member that fits nowhere met, and how many had room. */
  | {
      readonly kind: 'stuck';
      readonly member: GangMember;
      readonly placed: number;
      readonly fleet: readonly C[];
    };

export interface GangRules {
  /** The member's strategy: id of where it goes when it fits on none of the resources that the gang uses already (`except`). */
  readonly choose: (member: GangMember, except: ReadonlySet<string>) => string | undefined;
  /** Groups that are known to take no more members. */
  readonly isFull: (group: string) => boolean;
}

interface Draft<C extends Candidate> {
  target: C;
  kind: string;
  joins: string | undefined;
  members: number[];
  demand: Vector;
  before: Vector;
  deviceMap?: DeviceMap | undefined;
}

/** Allocation and event of each member, the groups, the resources, and one slice of the quota. */
const itemsOf = <C extends Candidate>(groups: readonly GangGroup<C>[]): number =>
  groups.reduce((total, { members }) => total + 2 * members.length, 0) +
  groups.length +
  new Set(groups.map(({ target }) => target.id)).size +
  1;

class Planner<C extends Candidate> {
  readonly #rules: GangRules;
  readonly #fleet: C[];
  readonly #at: ReadonlyMap<string, number>;
  readonly #opened: string[] = [];
  readonly drafts: Draft<C>[] = [];

  constructor(fleet: readonly C[], rules: GangRules) {
    this.#rules = rules;
    this.#fleet = [...fleet];
    this.#at = new Map(fleet.map((candidate, index) => [candidate.id, index]));
  }

  get fleet(): readonly C[] {
    return this.#fleet;
  }

  #now(id: string): C | undefined {
    return this.#fleet[this.#at.get(id) ?? -1];
  }

  /** False when it fits nowhere. A spread key comes first to where it is not yet, be that one resource more. */
  place(member: GangMember): boolean {
    const { spread } = member.request.constraints;
    return (spread !== undefined && this.#placeIn(member, true)) || this.#placeIn(member, false);
  }

  #placeIn(member: GangMember, apart: boolean): boolean {
    const { request } = member;
    const isPassedOver = (target: C): boolean => apart && isCrowded(target, request.constraints);
    for (const id of this.#opened) {
      const target = this.#now(id);
      if (target === undefined || isPassedOver(target) || !this.#takes(target, request)) continue;
      if (this.#put(target, member)) return true;
    }
    const except = new Set(this.#opened);
    for (;;) {
      const id = this.#rules.choose(member, except);
      const target = id === undefined ? undefined : this.#now(id);
      // The strategy names what is not crowded first.
      if (target === undefined || isPassedOver(target)) return false;
      if (this.#put(target, member)) {
        this.#opened.push(target.id);
        return true;
      }
      except.add(target.id);
    }
  }

  #takes(target: C, { demand, constraints, purpose, kind, devices }: PlacementRequest): boolean {
    return ineligible(target, demand, constraints, purpose, kind, devices) === undefined;
  }

  /** Into a group of the gang's, a group that is there, or one that is born; false when none may be born. */
  #put(target: C, { index, request }: GangMember): boolean {
    const { demand, kind, constraints, devices } = request;
    const bound = closeBoundOf(target.capacity);
    const alone = isLarge(demand, bound) || devices !== undefined || constraints.spread?.hard === true;
    const draft = alone
      ? undefined
      : this.drafts.find(
          (one) => one.target.id === target.id && one.kind === kind && !isLarge(one.demand, bound),
        );
    const groups = [...target.groups];
    let held: Pick<Candidate, 'spread' | 'devices'> = {};
    if (draft !== undefined) {
      draft.before = draft.demand;
      draft.demand = add(draft.demand, demand);
      draft.members.push(index);
    } else {
      const joins = alone ? undefined : this.#joinable(target, kind);
      const born = { id: `born-${index}`, constraints, devices, count: 1 };
      const seated = joins === undefined ? seat(target, born) : undefined;
      if (joins === undefined) {
        const extras = seated && arriving(target, [seated]);
        if (groups.length >= GROUPS_BORN_MAX || extras === undefined) return false;
        held = heldAfter(target, extras, 'came');
        groups.push({ kind, group: born.id });
      }
      const { deviceMap } = seated ?? {};
      this.drafts.push({ target, kind, joins, members: [index], demand, before: ZERO, deviceMap });
    }
    const used = add(target.used, demand);
    this.#fleet[this.#at.get(target.id) ?? -1] = { ...target, ...held, used, groups };
    return true;
  }

  /** The youngest of the kind that was there before the gang, unless the gang uses it already. */
  #joinable(target: C, kind: string): string | undefined {
    const ids = target.groups.filter((ref) => ref.kind === kind && !ref.group.startsWith('born-'));
    const youngest = ids
      .map(({ group }) => group)
      .toSorted()
      .at(-1);
    if (youngest === undefined || this.#rules.isFull(youngest)) return undefined;
    return this.drafts.some(({ joins }) => joins === youngest) ? undefined : youngest;
  }
}

/**
 * Plans all members jointly on a copy of the snapshot: the largest first (by dominant share of all fill, the smaller
 * index at a tie), each on the first resource that the gang has opened and that takes it, because every resource costs
 * an item of the transaction; else where the strategy says. Who asks for devices, or has a hard spread key, is a group
 * of its own. Pure.
 */
export const planGang = <C extends Candidate>(
  members: readonly GangMember[],
  fleet: readonly C[],
  rules: GangRules,
): GangPlan<C> => {
  const total = sum(fleet.map(({ fill }) => fill));
  const size = ({ request }: GangMember): number => dominantShare(request.demand, total);
  const ordered = members.toSorted((a, b) => size(b) - size(a) || a.index - b.index);
  const original = new Map(fleet.map((candidate) => [candidate.id, candidate]));
  const planner = new Planner(fleet, rules);
  for (const [placed, member] of ordered.entries()) {
    if (!planner.place(member)) return { kind: 'stuck', member, placed, fleet: planner.fleet };
  }
  const groups = planner.drafts.map((draft) => ({
    ...draft,
    // As it was seen, not as the plan leaves it.
    target: original.get(draft.target.id) ?? draft.target,
  }));
  return { kind: 'planned', groups, items: itemsOf(groups) };
};

/**
 * How many of the first members one transaction holds, found by halving: that many do fit, by a plan of them, though
 * one of the numbers passed over might too; 0 when not even one.
 */
export const gangPossible = <C extends Candidate>(
  members: readonly GangMember[],
  fleet: readonly C[],
  rules: GangRules,
): number => {
  let known = 0;
  let beyond = Math.min(members.length, Math.floor((GANG_ITEMS_MAX - 3) / 2)) + 1;
  while (beyond - known > 1) {
    const count = Math.floor((known + beyond) / 2);
    const plan = planGang(members.slice(0, count), fleet, rules);
    if (plan.kind === 'planned' && plan.items <= GANG_ITEMS_MAX) known = count;
    else beyond = count;
  }
  return known;
};
