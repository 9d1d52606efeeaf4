import type { FleetPlan } from '../sample/fleet-plan.ts';
import { CAPACITY, type Ground, planDrill, SHARE_USED } from './drill-plan.ts';
import type { DrillSize } from './options.ts';

/** All that a drill makes in somebody else's control plane carries this name, or begins with it. */
export const drillName = (id: string): string => `drill-${id}`;

/**
 * What a plan over the API asks for. Its resources are empty and healthy, so placement would prefer them for anybody's
 * work, which no host of the drill could run: they have next to no processing and no memory, as 80 % of 1 is 0. Work
 * that needs any of either fits nowhere on them, the drill's own asks for storage and network alone.
 */
function groundOf(name: string): Ground {
  const within = { labscapes: [name] };
  return {
    ...{ labscapes: [name], tenant: name },
    capacity: { ...CAPACITY, processing: 1, memory: 1 },
    shareUsed: { ...SHARE_USED, processing: 0, memory: 0 },
    // None leads out of the labscape: nobody else's resource is ever touched.
    profiles: [
      () => within,
      () => ({ ...within, labels: { disk: 'ssd' } }),
      () => ({ ...within, labels: { link: 'fast' } }),
      () => ({ ...within, notLabscapes: [`${name}-none`] }),
      () => ({ ...within, labels: { disk: 'ssd', link: 'fast' } }),
      () => ({ ...within, labels: { disk: 'ssd' }, notLabscapes: [`${name}-none`] }),
    ],
  };
}

/** One labscape, its resources, a tenant and its work, all under one name. */
export function planApiDrill(size: DrillSize, name: string): FleetPlan {
  const plan = planDrill(size, groundOf(name));
  return {
    ...plan,
    allocations: plan.allocations.map(({ key, input }) => ({ key, input: { ...input, tenant: name } })),
  };
}

/** Whether an entity of the audit is one of a drill's own. */
export const isOf =
  (name: string) =>
  (entity: string): boolean => {
    const [, id = ''] = entity.split('#');
    return id === name || id.startsWith(`${name}-`);
  };
