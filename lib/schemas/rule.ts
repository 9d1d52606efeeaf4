import * as z from 'zod';

/** Safety rules of recoveries, in the order in which they are asked; see lib/failover/rules.ts. */
export const RULES = [
  'status',
  'feasible',
  'maintenance',
  'mode-observe',
  'breaker',
  'cool-down',
  'mode-ask',
] as const;
export const Rule = z.enum(RULES);
export type Rule = z.infer<typeof Rule>;

/** Rules that a person may set aside for a while; the others say that there is nothing to do, or no way. */
export const OVERRIDABLE_RULES = ['maintenance', 'mode-observe', 'breaker', 'cool-down', 'mode-ask'] as const;
export const OverridableRule = z.enum(OVERRIDABLE_RULES);
export type OverridableRule = z.infer<typeof OverridableRule>;

export const Objection = z.object({
  rule: Rule,
  effect: z.enum(['asks', 'refuses']).meta({ description: 'a person is asked, or nothing happens' }),
  explanation: z.string(),
  override: z.string().optional().meta({ description: 'the override by which it does not count' }),
});
export type Objection = z.infer<typeof Objection>;
