import { isProtectedKind } from '../../allocation/groups.ts';
import { CLASSES } from '../../schemas/common.ts';
import type { Failback } from '../../schemas/failback.ts';
import type { Move } from '../../schemas/recovery.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import type { FleetResource } from '../fleet.ts';
import { type Movable, refusesMove, withMoved } from './rebalance-plan.ts';

export interface FailbackQuestion {
  readonly home: FleetResource;
  /** What the recovery moved away. */
  readonly moves: readonly Move[];
  readonly groups: ReadonlyMap<string, GroupRecord>;
  /** Why a group must stay where it is for now, as for any balancing. */
  readonly stays: (group: GroupRecord, owner: string) => string | undefined;
  /** Moves that each labscape still allows off its resources; none of one where balancing is off. */
  readonly allowed: ReadonlyMap<string, number>;
  readonly movesMax: number;
}

export type Homing = Failback['groups'][number];
export interface FailbackPlan {
  /** What goes, in this order. */
  readonly going: readonly Movable[];
  /** Of all that was moved away, what goes and what does not. */
  readonly groups: readonly Homing[];
}

/** Reasons that do not pass: what it says is so for good. */
const FOR_GOOD: ReadonlySet<string> = new Set(['data', 'gone', 'home', 'moved-since', 'protected']);

export const staying = (homing: Omit<Homing, 'outcome'>, reason: string): Homing => ({
  ...{ ...homing, outcome: 'stays', reason },
  ...(FOR_GOOD.has(reason) ? {} : { later: true }),
});

/** Why it has no way home: somebody else has decided since where it belongs, or it is no more. */
const settledBy = ({ to, epoch }: Move, home: string, group: GroupRecord | undefined): string | undefined => {
  if (group === undefined || group.status === 'closed') return 'gone';
  if (group.status === 'pending') return 'waits';
  if (group.resource === home) return 'home';
  if (group.resource !== to || group.epoch !== epoch) return 'moved-since';
  return isProtectedKind(group.kind) ? 'protected' : undefined;
};

/**
 * What goes home in one step, most urgent class first: groups that are where the recovery brought them, as it brought
 * them, as long as their home takes them under its fill and their labscape lets one more go. Pure.
 */
export const planFailback = (question: FailbackQuestion): FailbackPlan => {
  const { moves, groups, stays, movesMax } = question;
  const allowed = new Map(question.allowed);
  const urgency = ({ group }: Move): number => CLASSES.indexOf(groups.get(group)?.class ?? 'low');
  const ordered = moves.toSorted((a, b) => urgency(a) - urgency(b) || (a.group < b.group ? -1 : 1));
  let home = question.home;
  const going: Movable[] = [];
  const told = ordered.map((move): Homing => {
    const group = groups.get(move.group);
    const owner = group?.resource;
    const homing = {
      ...{ group: move.group, count: group?.count ?? 0 },
      ...(group === undefined ? {} : { class: group.class }),
      ...(owner === undefined ? {} : { from: owner }),
    };
    const settled = settledBy(move, home.id, group);
    if (settled !== undefined || group === undefined || owner === undefined)
      return staying(homing, settled ?? 'gone');
    const movable = { ...group, resource: owner };
    const left = allowed.get(group.labscape ?? '');
    const refused =
      stays(group, owner) ??
      refusesMove(home, movable) ??
      (left === undefined ? 'off' : left <= 0 ? 'window' : undefined);
    if (refused !== undefined) return staying(homing, refused);
    if (going.length >= movesMax) return staying(homing, 'next-step');
    allowed.set(group.labscape ?? '', (left ?? 0) - 1);
    going.push(movable);
    home = withMoved(home, movable);
    return { ...homing, outcome: 'planned' };
  });
  return { going, groups: told };
};
