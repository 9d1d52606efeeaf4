import type { Candidate } from '../../lib/allocation/candidate.ts';
import type { MovableGroup } from '../../lib/failover/plan.ts';
import { CLASSES } from '../../lib/schemas/common.ts';
import { planMoves } from '../../lib/services/recovery/plan-moves.ts';
import { type Figure, figureOf } from './figures.ts';
import { fleetOf, KIND, pick, type Random, seeded, wish } from './fleet-model.ts';
import { loadNow, timed } from './timed.ts';

const GROUPS = 24;
const RESOURCES = 10_000;
const PLANS = 500;
const WARM_UP = 50;
const BUDGET_MS = 5;
/** Used share of the fill: as usual; and so full that many groups are looked for all over the fleet. */
const FILLED = [0.7, 0.97] as const;

const groupsOf = (random: Random): MovableGroup[] =>
  Array.from({ length: GROUPS }, (_, i) => {
    const { demand, constraints } = wish(random, 1, '');
    return {
      ...{ id: `g${i}`, epoch: 1, load: 1, count: 10, class: pick(random, CLASSES), kind: KIND },
      ...{ demand, constraints, labscape: 'l0', heldUntil: undefined },
    };
  });

/** Planning every move of one failed resource: a sample is one plan of 24 groups, each with constraints of its own. */
export const planning = (progress: (text: string) => void): readonly Figure[] =>
  FILLED.map((filled) => {
    progress(`plan ${GROUPS} groups, fleet filled to ${filled}`);
    const random = seeded(RESOURCES);
    const fleet: readonly Candidate[] = fleetOf(random, RESOURCES, filled);
    const samples: number[] = [];
    let unplaced = 0;
    for (let turn = 0; turn < WARM_UP + PLANS; turn++) {
      const source = fleet[Math.floor(random() * fleet.length)];
      if (source === undefined) throw new Error('The fleet is empty');
      const groups = groupsOf(random);
      let left = 0;
      const ms = timed(() => {
        left = planMoves(source, groups, fleet).unplaced.length;
      });
      if (turn >= WARM_UP) samples.push(ms);
      if (turn >= WARM_UP) unplaced += left;
    }
    return figureOf(`plan ${GROUPS} groups`, samples, {
      budget: BUDGET_MS,
      extra: { resources: RESOURCES, filled, unplacedShare: unplaced / PLANS / GROUPS, load: loadNow() },
    });
  });
