import { keys } from '../../store/keys.ts';
import type { Item } from '../../store/table/attributes.ts';
import { keyOf } from './sorted.ts';

/** Whether a resource is locked by a recovery whose record is gone: nobody could ever end that. `seen`: by keyOf. */
export const isLockLost = (resource: Item | undefined, seen: ReadonlyMap<string, Item>): boolean => {
  const owner = resource?.['pk']?.S?.startsWith('LAB#') ? resource['recovery']?.S : undefined;
  return owner !== undefined && !seen.has(keyOf(keys.recovery(owner)));
};
