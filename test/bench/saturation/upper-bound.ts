import { createRequire } from 'node:module';
import type { PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { type PackNode, unfit } from '../pack-node.ts';

/** What is used of `highs`. Its types describe CommonJS, which is therefore what is loaded. */
interface Solver {
  solve(
    problem: string,
    options?: { readonly time_limit: number; readonly mip_rel_gap: number },
  ): { readonly Status: string; readonly ObjectiveValue: number };
}
const loadHighs: () => Promise<Solver> = createRequire(import.meta.url)('highs');

/** Equal things and how many of them there are. */
const counted = <T>(all: readonly T[], keyOf: (one: T) => string): { one: T; count: number }[] => {
  const kinds = new Map<string, { one: T; count: number }>();
  for (const one of all) {
    const kind = kinds.get(keyOf(one));
    if (kind === undefined) kinds.set(keyOf(one), { one, count: 1 });
    else kind.count += 1;
  }
  return [...kinds.values()];
};

const SUM_EMPTY = '0 nothing';
const sumOf = (terms: readonly string[]): string => (terms.length === 0 ? SUM_EMPTY : terms.join(' + '));

/** x(k, s) ≥ 0: how much of kind k stands on hosts of shape s; none where one of it does not fit on an empty host. */
const programmeOf = (
  nodes: readonly PackNode[],
  offered: readonly PackDemand[],
  keyOf: (node: PackNode) => string = ({ free }) => free.join(),
) => {
  const shapes = counted(nodes, keyOf);
  const kinds = counted(offered, ({ amounts }) => amounts.join());
  const may = kinds.map(({ one }) => shapes.map((shape) => unfit(shape.one, one) === undefined));
  const termsOn = (s: number, d: number): string[] =>
    kinds.flatMap(({ one }, k) => {
      const amount = one.amounts[d] ?? 0;
      return amount > 0 && may[k]?.[s] === true ? [`${amount} x${k}_${s}`] : [];
    });
  return {
    supply: kinds.flatMap(({ count }, k) => {
      const terms = shapes.flatMap((_, s) => (may[k]?.[s] === true ? [`x${k}_${s}`] : []));
      return terms.length === 0 ? [] : [{ placed: terms.join(' + '), count }];
    }),
    /** What hosts of each shape have: Σ over k of demand(k, d) · x(k, s) ≤ hosts(s) · free(s, d). */
    room: shapes.flatMap(({ one, count }, s) =>
      one.free.map((free, d) => ` ${sumOf(termsOn(s, d))} <= ${count * free}`),
    ),
    /** Held of one dimension. */
    held: (d: number): string => sumOf(shapes.flatMap((_, s) => termsOn(s, d))),
    unknowns: kinds.flatMap((_, k) => shapes.flatMap((_, s) => (may[k]?.[s] === true ? [`x${k}_${s}`] : []))),
  };
};

const solved = async (objective: string, constraints: readonly string[]): Promise<number> => {
  const highs = await loadHighs();
  const solution = highs.solve(
    ['Maximize', ` ${objective}`, 'Subject To', ...constraints, 'End', ''].join('\n'),
  );
  if (solution.Status !== 'Optimal') throw new Error(`the linear programme ended ${solution.Status}`);
  return solution.ObjectiveValue;
};

/**
 * Most that any placement, even one that knows every demand in advance, may cut demands into pieces and refuse at
 * will, can hold of one dimension: a linear programme over x(k, s),
 *
 *   maximise  Σ demand(k, binding) · x(k, s)
 *   such that Σ over k of demand(k, d) · x(k, s) ≤ hosts(s) · free(s, d)   for every shape and dimension
 *             Σ over s of x(k, s) ≤ offered(k)                             for every kind
 *
 * Equal hosts and equal demands are one shape and one kind: pieces may be shared evenly, so nothing is lost by that.
 * No devices. Throws when the solver does not reach the optimum.
 */
export const upperBound = (
  nodes: readonly PackNode[],
  offered: readonly PackDemand[],
  binding: number,
): Promise<number> => {
  const { supply, room, held } = programmeOf(nodes, offered);
  return solved(held(binding), [...room, ...supply.map(({ placed, count }) => ` ${placed} <= ${count}`)]);
};

/**
 * The greatest share of what is offered, the same of every kind, that such a placement can hold when it may cut but not
 * refuse: how far a stream can come before the first demand must wait. What comes after may still fit, so this is no bound.
 */
export const shareUnrefused = (
  nodes: readonly PackNode[],
  offered: readonly PackDemand[],
): Promise<number> => {
  const { supply, room } = programmeOf(nodes, offered);
  const even = supply.map(({ placed, count }) => ` ${placed} - ${count} share = 0`);
  return solved('share', [...room, ...even, ' share <= 1']);
};

/** Time for one integer programme, and how near to its bound is near enough. */
const PLAN_SECONDS_MAX = 20;
const PLAN_GAP = 0.003;

/**
 * What a plan that knows every demand in advance and may refuse, but not cut, is found to hold of one dimension: the
 * integer programme of `upperBound`, each host by itself. The best found in 20 s, so the true optimum is no less.
 */
export const plannedWhole = async (
  nodes: readonly PackNode[],
  offered: readonly PackDemand[],
  binding: number,
): Promise<number> => {
  const { supply, room, held, unknowns } = programmeOf(nodes, offered, ({ id }) => id);
  const whole = supply.map(({ placed, count }) => ` ${placed} <= ${count}`);
  const highs = await loadHighs();
  const solution = highs.solve(
    [
      ...['Maximize', ` ${held(binding)}`, 'Subject To', ...room, ...whole],
      ...['General', ` ${unknowns.join(' ')}`, 'End', ''],
    ].join('\n'),
    { time_limit: PLAN_SECONDS_MAX, mip_rel_gap: PLAN_GAP },
  );
  if (!['Optimal', 'Time limit reached'].includes(solution.Status))
    throw new Error(`the integer programme ended ${solution.Status}`);
  return solution.ObjectiveValue;
};
