import { DEVICE_MILLI } from '../schemas/devices.ts';
import type { FoldedGroup, FoldedResource } from './fold-state.ts';

/** Spread marks and devices that a resource's groups amount to; what cannot be is a fault. */
export function holdingsOf(
  resource: Pick<FoldedResource, 'id' | 'devices'>,
  groups: readonly FoldedGroup[],
  faults: string[],
): Pick<FoldedResource, 'spread' | 'devices'> {
  const spread = groups.flatMap(({ mark }) => (mark === undefined ? [] : [mark.entry])).sort();
  const twice = spread.find((entry, at) => entry === spread[at + 1]);
  if (twice !== undefined) faults.push(`resource ${resource.id}: two groups of the hard spread key ${twice}`);
  const devices = resource.devices && {
    ...resource.devices,
    used: devicesUsed(resource.id, resource.devices.used, groups, faults),
  };
  return { spread, devices };
}

function devicesUsed(
  id: string,
  free: readonly number[],
  groups: readonly FoldedGroup[],
  faults: string[],
): readonly number[] {
  const used = [...free];
  for (const { id: group, deviceMap, milli } of groups) {
    if (milli > 0 && deviceMap === undefined) faults.push(`group ${group}: no event gave it devices`);
    for (const index of deviceMap ?? []) {
      const before = used[index];
      if (before === undefined) faults.push(`group ${group}: ${id} has no device ${index}`);
      else used[index] = before + milli;
    }
  }
  for (const [index, taken] of used.entries())
    if (taken > DEVICE_MILLI) faults.push(`resource ${id}: ${taken} of device ${index} are taken`);
  return used;
}
