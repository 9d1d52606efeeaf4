import type { Constraints } from './schemas/allocation.ts';

/**
 * Constraints as groups and resources carry them: a spread key is its tenant's own, so that nobody keeps another tenant
 * away by using its words. Ids hold neither colon nor dot.
 */
export const withinTenant = (tenant: string, constraints: Constraints): Constraints =>
  constraints.spread === undefined
    ? constraints
    : { ...constraints, spread: { ...constraints.spread, key: `${tenant}:${constraints.spread.key}` } };

/** What a group leaves in its resource's `spread`: the key alone by a hard rule, else one of its own. */
export interface SpreadMark {
  readonly entry: string;
  readonly hard: boolean;
}

/** The mark that a group of these constraints leaves; undefined: it asks for no spread. */
export const spreadMark = ({
  id,
  constraints: { spread },
}: {
  readonly id: string;
  readonly constraints: Pick<Constraints, 'spread'>;
}): SpreadMark | undefined => {
  if (spread === undefined) return undefined;
  return spread.hard ? { entry: spread.key, hard: true } : { entry: `${spread.key}.${id}`, hard: false };
};
