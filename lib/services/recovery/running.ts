import { readManyBeats } from '../../store/fleet/heartbeats.ts';
import { readGroups } from '../../store/placement/groups.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import type { Runtime } from '../runtime.ts';

export interface RunningState {
  readonly running: number;
  /** Moved groups whose owner has not reported them running yet. */
  readonly waiting: readonly string[];
  /** Moved groups on resources that no agent ever spoke for: nobody will report them. */
  readonly unwatched: readonly string[];
}

/** Which of the moved groups run on their new owners, by the owners' own reports. */
export const runningState = async (runtime: Runtime, recovery: RecoveryRecord): Promise<RunningState> => {
  const groups = await readGroups(
    runtime.store,
    recovery.moves.map((move) => move.group),
  );
  const planned = new Map(recovery.moves.map((move) => [move.group, move]));
  const labscapes = [
    ...new Set(groups.flatMap((group) => (group.labscape === undefined ? [] : [group.labscape]))),
  ];
  const heard = new Set(
    (await readManyBeats(runtime.store, labscapes)).flatMap((beats) => [...beats.pulses.keys()]),
  );
  const waiting: string[] = [];
  const unwatched: string[] = [];
  let running = 0;
  for (const group of groups) {
    const move = planned.get(group.id);
    // Closed, moved on, or pending again: no longer this recovery's to wait for.
    if (group.status !== 'placed' || move === undefined || group.epoch > move.epoch) continue;
    if (group.resource === undefined || !heard.has(group.resource)) unwatched.push(group.id);
    else if (group.runningEpoch === group.epoch && group.runningCount >= group.count) running += 1;
    else waiting.push(group.id);
  }
  return { running, waiting, unwatched };
};
