import type { World } from '../world/world.ts';
export const restoreEmptied = async (_world: World): Promise<void> => {};
