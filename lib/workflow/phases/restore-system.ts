import { putOrder } from '../../store/fleet/heartbeats.ts';
import { readResource } from '../../store/fleet/resources.ts';
import { advance } from './advance.ts';
import { newWait, type PhaseAnswer, type PhaseContext } from './context.ts';

/** Orders the labscape to restore or replace the resource, and waits for its word. A drained one is left as it is. */
export const restoreSystem = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'RestoreSystem', async (recovery) => {
    const { runtime } = context;
    if (recovery.trigger === 'drain')
      return { next: 'RecoverData', detail: { order: 'none', answer: 'drained on purpose' } };
    const [labscape, resource] = await Promise.all([
      runtime.fleet.labscape(recovery.labscape),
      readResource(runtime.store, recovery.labscape, recovery.resource),
    ]);
    if (labscape === undefined || resource?.status === 'retired') {
      return { next: 'RecoverData', detail: { order: 'none', answer: 'gone' } };
    }
    const issuedAt = runtime.clock.now();
    await putOrder(runtime.store, recovery.labscape, {
      kind: 'restore',
      resource: recovery.resource,
      recovery: recovery.id,
      issuedAt,
    });
    return {
      next: 'RecoverData',
      detail: { order: 'restore' },
      wait: {
        waiting: newWait('RestoreSystem', issuedAt),
        seconds: Math.ceil(labscape.policy.restoreWaitMs / 1000),
      },
    };
  });
