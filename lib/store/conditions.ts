import type { ChainHead } from '../audit/event.ts';
import type { Vector } from '../schemas/common.ts';
import { N, S } from './attributes.ts';
import { attributeEquals, type Condition } from './update.ts';

/** The resource holds fewer than `most` groups, or none. */
export const groupsBelow = (most: number): Condition => ({
  text: 'attribute_not_exists(#groups) OR size(#groups) < :groupsMax',
  names: { '#groups': 'groupIds' },
  values: { ':groupsMax': N(most) },
});

/** The resource holds exactly so many groups. */
export const groupsExactly = (count: number): Condition => ({
  text: 'size(#groups) = :groups',
  names: { '#groups': 'groupIds' },
  values: { ':groups': N(count) },
});

/** The group has fewer members than `most`. */
export const membersBelow = (most: number): Condition => ({
  text: '#count < :countMax',
  names: { '#count': 'count' },
  values: { ':countMax': N(most) },
});

/** The entity stands where the caller saw it: its next event continues that chain. The head names the whole chain. */
export const chainAt = (chain: ChainHead): readonly Condition[] => [attributeEquals('head', S(chain.head))];

/** The slice's cap is still the one that the bound was computed from. */
export const capIs = (cap: Vector): Condition => ({
  text: '#capP = :capP AND #capM = :capM AND #capS = :capS AND #capN = :capN',
  names: { '#capP': 'capP', '#capM': 'capM', '#capS': 'capS', '#capN': 'capN' },
  values: {
    ':capP': N(cap.processing),
    ':capM': N(cap.memory),
    ':capS': N(cap.storage),
    ':capN': N(cap.network),
  },
});
