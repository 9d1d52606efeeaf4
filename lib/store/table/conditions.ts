import type { ChainHead } from '../../audit/event.ts';
import type { Vector } from '../../schemas/common.ts';
import { N, S } from './attributes.ts';
import { attributeEquals, type Condition, vectorEquals } from './update.ts';

/** The resource holds fewer than `most` groups, or none. */
export const groupsBelow =
  (most: number): Condition =>
  (p) =>
    `attribute_not_exists(${p.name('groupIds')}) OR size(${p.name('groupIds')}) < ${p.value(N(most))}`;

/** The resource holds exactly so many groups. */
export const groupsExactly =
  (count: number): Condition =>
  (p) =>
    `size(${p.name('groupIds')}) = ${p.value(N(count))}`;

/** The group has fewer members than `most`. */
export const membersBelow =
  (most: number): Condition =>
  (p) =>
    `${p.name('count')} < ${p.value(N(most))}`;

/** The entity stands where the caller saw it: its next event continues that chain. The head names the whole chain. */
export const chainAt = (chain: ChainHead): readonly Condition[] => [attributeEquals('head', S(chain.head))];

/** The slice's cap is still the one that the bound was computed from. */
export const capIs = (cap: Vector): Condition => vectorEquals('cap', cap);
