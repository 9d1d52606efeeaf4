import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { STRATEGY_NAMES, type StrategyName } from '../../lib/schemas/strategy.ts';
import { type Figure, figureOf } from './figures.ts';
import { changed, committed, fleetOf, type Random, seeded, wish } from './fleet-model.ts';
import { planning } from './planning.ts';
import { loadNow, timed } from './timed.ts';

const SIZES = [1_000, 10_000, 100_000] as const;
const DECISIONS = 1_000;
/** Before anything is timed: compilation, and the first fill of what a strategy keeps. */
const WARM_UP = 200;
const CHURN = 0.01;
const FILLED = 0.7;
const MOST = 8;
const BUDGET_MS = 1;
/** The product's own target is for this many; beyond it the figure is an aim. */
const JUDGED_MAX = 10_000;

/**
 * One row. A sample is: `put` of every changed resource (1 % of the fleet, fresh objects as a refresh would bring them,
 * made before the clock starts), `choose` of up to 8 candidates, and `put` of the commit. Not counted: making objects.
 */
const row = (strategy: StrategyName, resources: number): Figure => {
  const random: Random = seeded(resources);
  const fleet = fleetOf(random, resources, FILLED);
  const index = new FleetIndex();
  for (const one of fleet) index.put(one);
  const chooser = STRATEGIES[strategy](index);
  const samples: number[] = [];
  let refused = 0;
  for (let turn = 0; turn < WARM_UP + DECISIONS; turn++) {
    const news = Array.from({ length: Math.ceil(resources * CHURN) }, () => {
      const at = Math.floor(random() * fleet.length);
      const one = fleet[at];
      if (one === undefined) throw new Error('The fleet is empty');
      const next = changed(random, one, FILLED);
      fleet[at] = next;
      return next;
    });
    const request = wish(random, MOST, `key-${turn}`);
    const ms = timed(() => {
      for (const one of news) index.put(one);
      const [first] = chooser.choose(request, random);
      if (first === undefined) refused += 1;
      else index.put(committed(first.candidate, request));
    });
    if (turn >= WARM_UP) samples.push(ms);
  }
  return figureOf(`decision ${strategy} of ${resources}`, samples, {
    ...(resources <= JUDGED_MAX ? { budget: BUDGET_MS } : {}),
    extra: { strategy, resources, aim: BUDGET_MS, refused, load: loadNow() },
  });
};

/** Choosing a resource, by every strategy, in fleets of three sizes; and planning a failover. */
export const decision = async (
  progress: (text: string) => void,
  _options: object = {},
  only: readonly StrategyName[] = STRATEGY_NAMES,
  sizes: readonly number[] = SIZES,
): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  for (const resources of sizes)
    for (const strategy of only) {
      progress(`decision ${strategy} of ${resources}`);
      figures.push(row(strategy, resources));
    }
  return [...figures, ...planning(progress)];
};
