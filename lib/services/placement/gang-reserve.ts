import { ProblemError } from '../../errors.ts';
import type { PlacedGroup } from '../../store/placement/gang-writes.ts';
import { add, sum } from '../../vector.ts';
import { type ReserveChange, reserveAfter } from '../reserve/reserve.ts';
import type { Runtime } from '../runtime.ts';

/** What the whole gang would leave on each resource that it uses. */
const changesOf = (runtime: Runtime, groups: readonly PlacedGroup[]): readonly ReserveChange[] => {
  const byTarget = Map.groupBy(groups, ({ plan: { target } }) => target.id);
  return [...byTarget].flatMap(([id, own]) => {
    const seen = runtime.fleet.seen(id);
    if (seen === undefined) return [];
    const born = own.flatMap(({ born: group }) => (group === undefined ? [] : [{ ...group, resource: id }]));
    const joined = new Map(own.map(({ plan }) => [plan.joins, plan]));
    const resource = {
      ...seen,
      used: add(seen.used, sum(own.map(({ plan: { demand } }) => demand))),
      groups: [...seen.groups, ...born.map(({ kind, id: group }) => ({ kind, group }))],
    };
    const after: ReserveChange['groups'] = (held) => [
      ...held.map((group) => {
        const plan = joined.get(group.id);
        return plan === undefined ? group : { ...group, demand: add(group.demand, plan.demand) };
      }),
      ...born,
    ];
    return [{ resource, groups: after }];
  });
};

/** The first warning of a labscape that fills by n+1. Raises no-capacity where its policy refuses. */
export const reserveWarning = async (
  runtime: Runtime,
  groups: readonly PlacedGroup[],
): Promise<string | undefined> => {
  let warning: string | undefined;
  const byLabscape = Map.groupBy(changesOf(runtime, groups), ({ resource }) => resource.labscape);
  for (const [labscape, changes] of byLabscape) {
    const decision = await reserveAfter(runtime, labscape, changes);
    if (decision.kind === 'refuse')
      throw new ProblemError('no-capacity', `the gang would leave no reserve: ${decision.reason}`, {
        reasons: { reserve: decision.reason },
      });
    if (decision.kind === 'warn') warning ??= decision.reason;
  }
  return warning;
};
