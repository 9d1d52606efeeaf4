import { createRequire } from 'node:module';
import type { PackDemand } from '../../../lib/allocation/packing/shape.ts';
import { type PackNode, unfit } from '../pack-node.ts';

/** What is used of `highs`. Its types describe CommonJS, which is therefore what is loaded. */
interface Solver {
  solve(problem: string): { readonly Status: string; readonly ObjectiveValue: number };
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

/**
 * Most that any placement, even one that knows every demand in advance, may cut demands into pieces and refuse at
 * will, can hold of one dimension. Linear programme over x(k, s) ≥ 0, how much of kind k stands on hosts of shape s:
 *
 *   maximise  Σ demand(k, binding) · x(k, s)
 *   such that Σ over k of demand(k, d) · x(k, s) ≤ hosts(s) · free(s, d)   for every shape and dimension
 *             Σ over s of x(k, s) ≤ offered(k)                             for every kind
 *             x(k, s) = 0 where one demand of kind k does not fit on an empty host of shape s
 *
 * Equal hosts and equal demands are one shape and one kind: pieces may be shared evenly, so nothing is lost by that.
 * No devices. Throws when the solver does not reach the optimum.
 */
export const upperBound = async (
  nodes: readonly PackNode[],
  offered: readonly PackDemand[],
  binding: number,
): Promise<number> => {
  const shapes = counted(nodes, ({ free }) => free.join());
  const kinds = counted(offered, ({ amounts }) => amounts.join());
  const may = kinds.map(({ one }) => shapes.map((shape) => unfit(shape.one, one) === undefined));
  const termsOn = (s: number, d: number): string[] =>
    kinds.flatMap(({ one }, k) => {
      const amount = one.amounts[d] ?? 0;
      return amount > 0 && may[k]?.[s] === true ? [`${amount} x${k}_${s}`] : [];
    });
  const objective = shapes.flatMap((_, s) => termsOn(s, binding));
  const room = shapes.flatMap(({ one, count }, s) =>
    one.free.map((free, d) => ` ${sumOf(termsOn(s, d))} <= ${count * free}`),
  );
  const supply = kinds.map(({ count }, k) => {
    const terms = shapes.flatMap((_, s) => (may[k]?.[s] === true ? [`x${k}_${s}`] : []));
    return ` ${sumOf(terms)} <= ${count}`;
  });
  const highs = await loadHighs();
  const solution = highs.solve(
    ['Maximize', ` ${sumOf(objective)}`, 'Subject To', ...room, ...supply, 'End', ''].join('\n'),
  );
  if (solution.Status !== 'Optimal') throw new Error(`the linear programme ended ${solution.Status}`);
  return solution.ObjectiveValue;
};
