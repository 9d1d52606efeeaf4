import * as z from 'zod';

const oneOrMany = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

/** A statement of an identity policy. NotAction and NotResource are refused by the strict shape. */
export const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: oneOrMany,
  Resource: oneOrMany,
  Condition: z.record(z.string(), z.unknown()).optional(),
});
export type Statement = z.infer<typeof Statement>;

export type Decision = 'allowed' | 'explicit-deny' | 'implicit-deny';

/**
 * IAM's evaluation for one identity policy: an explicit Deny wins, then an Allow, else denied. Conditions are not
 * evaluated: such a statement never allows and always denies, so that the emulation errs on the strict side.
 */
export function evaluate(statements: readonly Statement[], action: string, resource: string): Decision {
  let decision: Decision = 'implicit-deny';
  for (const statement of statements) {
    if (!matchesAny(statement.Action, action, 'i') || !matchesAny(statement.Resource, resource, '')) continue;
    if (statement.Effect === 'Deny') return 'explicit-deny';
    if (statement.Condition === undefined) decision = 'allowed';
  }
  return decision;
}

function matchesAny(patterns: readonly string[], value: string, flags: '' | 'i'): boolean {
  return patterns.some(
    (pattern) => pattern === value || pattern === '*' || wildcard(pattern, flags).test(value),
  );
}

/** Patterns come from one template, so the cache is as small as the template. */
const compiled = new Map<string, RegExp>();

function wildcard(pattern: string, flags: '' | 'i'): RegExp {
  const key = `${flags}:${pattern}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const made = new RegExp(`^${source}$`, `s${flags}`);
  compiled.set(key, made);
  return made;
}
