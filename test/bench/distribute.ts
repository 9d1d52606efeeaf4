import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { STRATEGY_NAMES, type StrategyName } from '../../lib/schemas/strategy.ts';
import { type Figure, figureOf } from './figures.ts';
import { committed, fleetOf, seeded, wish } from './fleet-model.ts';
import { loadNow, timed } from './timed.ts';

const RESOURCES = 1_000;
const DEMANDS = 100;
const ROUNDS = 300;
const WARM_UP = 50;
const FILLED = 0.7;
const BUDGET_MS = 2;

/**
 * A sample is all of 100 demands: for each, `choose` of one resource and `put` of the commit before the next. Between
 * rounds, not counted, the resources that took something are as before.
 */
const row = (strategy: StrategyName): Figure => {
  const random = seeded(RESOURCES);
  const fleet = fleetOf(random, RESOURCES, FILLED);
  const index = new FleetIndex();
  for (const one of fleet) index.put(one);
  const chooser = STRATEGIES[strategy](index);
  const samples: number[] = [];
  let placed = 0;
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const requests = Array.from({ length: DEMANDS }, (_, i) => wish(random, 1, `${round}-${i}`));
    const ms = timed(() => {
      for (const request of requests) {
        const [first] = chooser.choose(request, random);
        if (first === undefined) continue;
        index.put(committed(first.candidate, request));
        placed += 1;
      }
    });
    if (round >= WARM_UP) samples.push(ms);
    for (const one of fleet) index.put(one);
  }
  const placedShare = placed / (WARM_UP + ROUNDS) / DEMANDS;
  return figureOf(`distribute ${strategy}`, samples, {
    budget: BUDGET_MS,
    extra: { strategy, resources: RESOURCES, demands: DEMANDS, placedShare, load: loadNow() },
  });
};

/** Distributing 100 demands over 1,000 resources, by every strategy. */
export const distribute = async (progress: (text: string) => void): Promise<readonly Figure[]> =>
  STRATEGY_NAMES.map((strategy) => {
    progress(`distribute ${strategy}`);
    return row(strategy);
  });
