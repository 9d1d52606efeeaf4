import type { Restored } from '../../../lib/services/backup/apply-restore.ts';
import type { RestorePlan } from '../../../lib/services/backup/restore-types.ts';
import type { Found } from './places.ts';

/** Lines of one kind before the rest is only counted. */
const LINES_MAX = 20;

const listed = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0
    ? []
    : [
        `${title}:`,
        ...lines.slice(0, LINES_MAX).map((line) => `  ${line}`),
        ...(lines.length > LINES_MAX ? [`  and ${lines.length - LINES_MAX} more`] : []),
      ];

/** The plan for people, before or after it was carried out. */
export function renderPlan(
  { id, point }: Pick<Found, 'id' | 'point'>,
  plan: RestorePlan,
  isDone: boolean,
): string {
  const { events, items, units, conflicts, newer } = plan;
  const ageMinutes = (Date.now() - point) / 60_000;
  return [
    `Backup ${id}: all until ${new Date(point).toISOString()} (${ageMinutes.toFixed(1)} minutes ago)`,
    `To write: ${events.length} events, ${items.length} items, and ${units.length} resources, recoveries or waiting groups under new epochs`,
    ...listed(
      isDone ? 'Restored under new epochs' : 'To restore under new epochs',
      units.map(({ what }) => what),
    ),
    ...(newer === 0 ? [] : [`Newer than the backup, and left as they are: ${newer}`]),
    ...listed('Not restored', conflicts),
  ].join('\n');
}

export const renderRestored = (
  { events, items, units, refused }: Restored,
  /** Undefined where nobody looked for any. */
  faults: readonly string[] | undefined,
  ms: number,
): string =>
  [
    `Restored in ${(ms / 1000).toFixed(1)} s: ${events} events, ${items} items, ${units} units`,
    ...listed('Changed by somebody else meanwhile; plan again', refused),
    ...(faults?.length === 0
      ? ['Read back and checked (chains, fold, sums, limits, quotas): nothing is wrong']
      : []),
    ...listed('Faults', faults ?? []),
  ].join('\n');
