import type * as z from 'zod';
import type { ReportInput } from '../../schemas/assignment.ts';
import { dropOrder } from '../../store/fleet/heartbeats.ts';
import { acknowledgeFence, bumpAssignments, endHold, writeRunning } from '../../store/fleet/report-writes.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { GroupRecord } from '../../store/placement/groups.ts';
import { endWait } from '../../store/placement/preempt-writes.ts';
import { readRecovery } from '../../store/recovery/recoveries.ts';
import { answerResumed } from '../recovery/resumed.ts';
import { answerWait } from '../recovery/waits.ts';
import type { Runtime } from '../runtime.ts';

type Report = z.infer<typeof ReportInput>;

/** Takes an agent's word in. What is stale has no effect, and is named in the answer. */
export const takeReport = async (
  runtime: Runtime,
  resource: ResourceRecord,
  report: Report,
): Promise<{ accepted: number; stale: string[] }> => {
  const written = await Promise.all(
    report.groups.map(async (entry) => ({
      entry,
      group: await writeRunning(runtime.store, resource.id, entry),
    })),
  );
  const current = written.flatMap(({ group }) => (group === undefined ? [] : [group]));
  await Promise.all([
    resumeRecoveries(runtime, current),
    endHolds(runtime, resource, report),
    takeFence(runtime, resource, report),
    takeRestore(runtime, resource, report),
  ]);
  return {
    accepted: current.length,
    stale: written.filter(({ group }) => group === undefined).map(({ entry }) => entry.group),
  };
};

/** Groups that a recovery moved and that all run now may be what it waits for. */
const resumeRecoveries = async (runtime: Runtime, groups: readonly GroupRecord[]): Promise<void> => {
  const running = groups.filter((g) => g.recovery !== undefined && g.runningCount >= g.count);
  await answerResumed(
    runtime,
    running.flatMap((group) => (group.recovery === undefined ? [] : [group.recovery])),
  );
};

const endHolds = async (runtime: Runtime, resource: ResourceRecord, report: Report): Promise<void> => {
  await Promise.all(
    report.stopped.map(async ({ group }) => {
      const moved = await endHold(runtime.store, group, resource.id);
      if (moved?.resource !== undefined && moved.labscape !== undefined) {
        await bumpAssignments(runtime.store, moved.labscape, moved.resource);
      }
      if (moved?.roomFor === undefined) return;
      const freed = await endWait(runtime.store, moved.roomFor, group);
      if (freed !== undefined) await bumpAssignments(runtime.store, resource.labscape, resource.id);
    }),
  );
};

const takeFence = async (runtime: Runtime, resource: ResourceRecord, report: Report): Promise<void> => {
  if (!report.fenced || report.epoch > resource.epoch) return;
  await acknowledgeFence(runtime.store, resource, report.epoch);
  if (resource.recovery !== undefined && report.epoch === resource.epoch) {
    await answerWait(runtime, resource.recovery, 'AwaitFence', 'acknowledged');
  }
};

/** The labscape's answer to a restore order; a late one only clears the order it answers. */
const takeRestore = async (runtime: Runtime, resource: ResourceRecord, report: Report): Promise<void> => {
  const { restore } = report;
  if (restore === undefined) return;
  const recovery = await readRecovery(runtime.store, restore.recovery);
  // Nobody answers for a resource but its own labscape.
  if (recovery?.resource !== resource.id) return;
  await dropOrder(runtime.store, resource.labscape, resource.id, recovery.id);
  await answerWait(runtime, recovery.id, 'RestoreSystem', restore.outcome);
};
