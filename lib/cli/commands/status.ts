import * as z from 'zod';
import { DIMENSIONS } from '../../schemas/common.ts';
import type { Status } from '../../schemas/status.ts';
import { type Context, defineCommand, EXIT } from '../command.ts';
import { ago, counted, duration, percent } from '../format.ts';
import { type Paint, paintStatus } from '../paint.ts';
import { type Column, table } from '../table.ts';
import { readinessLine } from './readiness.ts';

type Fleet = z.output<typeof Status>;
type Landscape = Fleet['labscapes'][number];

const COLUMNS: readonly Column[] = [
  { title: 'RESOURCE' },
  { title: 'STATUS' },
  ...DIMENSIONS.map((dimension) => ({ title: dimension.toUpperCase(), align: 'right' as const })),
  { title: 'GROUPS', align: 'right' },
  { title: 'EPOCH', align: 'right' },
  { title: 'LAST BEAT', align: 'right' },
  { title: 'WEIGHT', align: 'right' },
  { title: 'WHY' },
];

const RECOVERIES: readonly Column[] = [
  { title: 'RECOVERY' },
  { title: 'STATUS' },
  { title: 'STARTED', align: 'right' },
];

/** What is used, with what its latency asks for where that is another. */
const weightOf = ({ weight: { now, wanted } }: Landscape['resources'][number]): string =>
  now === wanted ? String(now) : `${now} (${wanted})`;

/** What is known of its way back. */
function returningOf({ returning, failbackDue }: Landscape['resources'][number], nowMs: number): string[] {
  if (returning === undefined)
    return failbackDue === undefined ? [] : [`(what ${failbackDue} moved away may go home)`];
  const { share, probationUntil, wholeAt } = returning;
  return share === 0
    ? [`(in probation for ${duration(probationUntil - nowMs)})`]
    : [`(takes ${percent(share, 1)} of its bounds, all in ${duration(wholeAt - nowMs)})`];
}

/** Use is shown as share of the limit, which nothing may pass. */
function rowOf(resource: Landscape['resources'][number], nowMs: number, paint: Paint): string[] {
  const { id, status, verdict, used, limit, groups, epoch, lastBeatAt, reason, recovery } = resource;
  const differs =
    verdict !== status && (verdict === 'suspect' || verdict === 'failed' || verdict === 'unknown');
  const word = paintStatus(paint, status) + (differs ? ` (${verdict})` : '');
  const use = DIMENSIONS.map((dimension) => percent(used[dimension], limit[dimension]));
  const why = [
    reason,
    ...returningOf(resource, nowMs),
    ...(recovery === undefined ? [] : [`[${recovery}]`]),
  ].join(' ');
  const facts = [String(groups), String(epoch), ago(lastBeatAt, nowMs), weightOf(resource)];
  return [id, word, ...use, ...facts, why];
}

/** Of a labscape as a whole only what is not ordinary is said. */
function sightOf({ sight }: Landscape, paint: Paint): string {
  if (sight === undefined || sight.verdict === 'healthy' || sight.reason === 'never heard') return '';
  return `  ${paintStatus(paint, sight.verdict)}: ${sight.reason}`;
}

/** Labscapes with their resources, and what waits; recoveries are left to the caller. */
export function fleetParts(fleet: Fleet, paint: Paint): string[] {
  if (fleet.labscapes.length === 0) return ['No labscape has joined yet.'];
  const parts = fleet.labscapes.map((labscape) => {
    const mode = labscape.maintenance ? 'maintenance' : labscape.mode;
    const head = `${paint('bold', labscape.id)}  ${paint('dim', mode)}${sightOf(labscape, paint)}`;
    if (labscape.resources.length === 0) return `${head}\nno resources`;
    const ready =
      labscape.readiness === undefined
        ? ''
        : `\nif one failed now: ${readinessLine(labscape.readiness, paint)}`;
    const rows = labscape.resources.map((resource) => rowOf(resource, fleet.at, paint));
    return `${head}${ready}\n${table(COLUMNS, rows, (text) => paint('dim', text))}`;
  });
  const { groups, oldestAt } = fleet.pending;
  const waits =
    oldestAt === undefined ? '' : `, the oldest for ${duration(Math.max(0, fleet.at - oldestAt))}`;
  parts.push(
    groups === 0
      ? 'Nothing waits for room.'
      : paint('yellow', `${counted(groups, 'group waits', 'groups wait')} for room${waits}.`),
  );
  return parts;
}

function render(fleet: Fleet, paint: Paint): string {
  const parts = fleetParts(fleet, paint);
  const rows = fleet.recoveries.map(({ id, status, startedAt }) => [
    ...[id, paintStatus(paint, status), ago(startedAt, fleet.at)],
  ]);
  if (rows.length > 0) parts.push(table(RECOVERIES, rows, (text) => paint('dim', text)));
  return parts.join('\n\n');
}

export const status = defineCommand({
  name: 'status',
  usage: '',
  summary: 'the whole fleet: status, use, recoveries, what waits',
  flags: z.strictObject({}),
  run: async (context: Context) => {
    const fleet = await context.client.call('getStatus');
    context.show(fleet, () => render(fleet, context.paint));
    return EXIT.done;
  },
});
