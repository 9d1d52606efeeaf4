import { relocate } from '../../services/rebalancing/relocate.ts';
import { dominantShare, firstOver } from '../../vector.ts';
import { advance } from './advance.ts';
import { type PhaseAnswer, type PhaseContext, requesterOf } from './context.ts';
import { scopeOf } from './scope.ts';

/** Most groups one recovery moves to get its targets back under fill; the rest is the rebalancer's work. */
const RELOCATIONS_MAX = 8;

/** Back under fill: what used the failover reserve moves on to where there is room, one held flip at a time. */
export const restorePerformance = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'RestorePerformance', async (recovery) => {
    const { runtime } = context;
    let relocated = 0;
    const overFill: string[] = [];
    for (const resource of await scopeOf(runtime, recovery)) {
      if (resource.id === recovery.resource) continue;
      let over = firstOver(resource.used, resource.fill);
      let seen = resource;
      while (over !== undefined && relocated < RELOCATIONS_MAX) {
        const moved = await relocate(runtime, seen, over, recovery.id, requesterOf(context));
        if (moved === undefined) break;
        relocated += 1;
        seen = moved;
        over = firstOver(seen.used, seen.fill);
      }
      if (over !== undefined) overFill.push(resource.id);
    }
    const { resources } = await runtime.fleet.snapshot();
    const shares = resources.filter((r) => r.status === 'healthy').map((r) => dominantShare(r.used, r.fill));
    return {
      next: 'ValidateCompletely',
      detail: {
        relocated,
        overFill,
        greatestFillShare: Math.max(0, ...shares),
      },
    };
  });
