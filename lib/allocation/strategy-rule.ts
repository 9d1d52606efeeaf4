import type { Constraints } from '../schemas/allocation.ts';
import type { StrategyName } from '../schemas/strategy.ts';
import { excludedBy } from './eligibility.ts';

/** Where neither the request nor the labscapes say otherwise. */
export const STRATEGY_DEFAULT: StrategyName = 'least-loaded';

/** A labscape as the rule looks at it. */
export interface StrategicLabscape {
  readonly id: string;
  readonly residency?: string | undefined;
  readonly policy: { readonly strategy?: StrategyName | undefined };
}

/**
 * By which strategy a demand is placed: the request's word first; else, where all labscapes that its constraints admit
 * say the same, theirs; else the default. A labscape that says nothing does not say the same as another. Labels are of
 * resources, so they rule out no labscape.
 */
export const strategyFor = (
  asked: StrategyName | undefined,
  { labscapes, notLabscapes, residency }: Constraints,
  all: Iterable<StrategicLabscape>,
): StrategyName => {
  if (asked !== undefined) return asked;
  let theirs: StrategyName | undefined;
  for (const { id, residency: place, policy } of all) {
    const seen = { labscape: id, labels: {}, residency: place };
    if (excludedBy(seen, { labscapes, notLabscapes, residency }) !== undefined) continue;
    if (policy.strategy === undefined) return STRATEGY_DEFAULT;
    if (theirs !== undefined && policy.strategy !== theirs) return STRATEGY_DEFAULT;
    theirs = policy.strategy;
  }
  return theirs ?? STRATEGY_DEFAULT;
};
