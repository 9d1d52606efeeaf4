import * as z from 'zod';
import { Instant } from './common.ts';

/** Safety rules of recoveries, in the order in which they are asked; see lib/failover/rules.ts. */
export const RULES = [
  'status',
  'feasible',
  'mode-off',
  'maintenance',
  'self-doubt',
  'mode-observe',
  'observers',
  'breaker',
  'cool-down',
  'mode-ask',
] as const;
export const Rule = z.enum(RULES);
export type Rule = z.infer<typeof Rule>;

/** Rules that a person may set aside for a while; the others say that there is nothing to do, or no way. */
export const OVERRIDABLE_RULES = [
  'maintenance',
  'self-doubt',
  'mode-observe',
  'observers',
  'breaker',
  'cool-down',
  'mode-ask',
] as const;
export const OverridableRule = z.enum(OVERRIDABLE_RULES);
export type OverridableRule = z.infer<typeof OverridableRule>;

export const Objection = z.object({
  rule: Rule,
  effect: z.enum(['asks', 'refuses']).meta({ description: 'a person is asked, or nothing happens' }),
  explanation: z.string(),
  override: z.string().optional().meta({ description: 'the override by which it does not count' }),
});
export type Objection = z.infer<typeof Objection>;

/** Why the controller does not trust what it hears, or does not hear, of a labscape. */
export const DOUBTS = ['frozen', 'blind', 'fresh-grace'] as const;
export const SelfDoubt = z.object({
  kind: z.enum(DOUBTS).meta({
    description:
      'most labscapes fell silent at once; nobody is heard; heard again only now, after a silence of that kind',
  }),
  since: Instant,
  until: Instant.optional().meta({ description: 'when it ends by itself' }),
});
export type SelfDoubt = z.infer<typeof SelfDoubt>;

/** What the safety rules look at of a labscape as it is heard, see lib/health/labscape-sight.ts. */
export const SeenLabscape = z.object({
  doubt: SelfDoubt.optional(),
  silent: z.boolean().meta({ description: 'nothing at all is heard of it' }),
  observers: z.int().meta({ description: 'other labscapes that are heard' }),
  asks: z.boolean().meta({ description: 'too few to tell a labscape that is gone from a line that is' }),
});
export type SeenLabscape = z.infer<typeof SeenLabscape>;
