import { readResource } from '../../store/fleet/resources.ts';
import { readGroups } from '../../store/placement/groups.ts';
import { isZero } from '../../vector.ts';
import { advance } from './advance.ts';
import type { PhaseAnswer, PhaseContext } from './context.ts';
import { VerifyFailed } from './errors.ts';

/** Reads owners and epochs back, consistently: any epoch at or past the planned one is good. */
export const verify = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'Verify', async (recovery) => {
    const { store } = context.runtime;
    const [groups, source] = await Promise.all([
      readGroups(
        store,
        recovery.moves.map((move) => move.group),
      ),
      readResource(store, recovery.labscape, recovery.resource),
    ]);
    const byId = new Map(groups.map((group) => [group.id, group]));
    const wrong = recovery.moves.filter((move) => {
      const group = byId.get(move.group);
      if (group === undefined || group.epoch < move.epoch) return true;
      // Later epochs belong to later owners; closed groups to nobody.
      return group.epoch === move.epoch && group.status === 'placed' && group.resource !== move.to;
    });
    if (wrong.length > 0)
      throw new VerifyFailed(`groups not where the flip put them: ${wrong.map((w) => w.group).join(', ')}`);
    if (
      source !== undefined &&
      source.recovery === recovery.id &&
      (source.groups.length > 0 || !isZero(source.used))
    ) {
      throw new VerifyFailed(
        `resource ${source.id} still counts ${source.groups.length} groups after the flip`,
      );
    }
    return { next: 'RestoreSystem', detail: { groups: recovery.moves.length } };
  });
