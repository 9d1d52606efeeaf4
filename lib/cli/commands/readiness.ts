import * as z from 'zod';
import type { ReadinessPage } from '../../schemas/readiness.ts';
import { type Context, defineCommand, EXIT, flag } from '../command.ts';
import { ago, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { type Column, table } from '../table.ts';

type Page = z.output<typeof ReadinessPage>;
type Row = Page['items'][number];
type Whole = Page['labscapes'][number];

/** Most that one page holds. */
const PAGE_MAX = 500;

const COLUMNS: readonly Column[] = [
  { title: 'RESOURCE' },
  { title: 'READY' },
  { title: 'WITHIN', align: 'right' },
  { title: 'SINCE', align: 'right' },
  { title: 'IN THE WAY' },
];

const within = ({ movedWithinMs }: Pick<Row, 'movedWithinMs'>): string =>
  movedWithinMs === undefined ? '-' : duration(movedWithinMs);

const why = ({ reasons }: Pick<Row, 'reasons'>): string =>
  reasons.map(({ code, explanation }) => `${code}: ${explanation}`).join('; ');

/** How many of a labscape's resources are ready, as one sentence. */
export function readinessLine({ resources, state }: Whole, paint: Context['paint']): string {
  const { ready, atRisk, notReady, unknown } = resources;
  const all = ready + atRisk + notReady + unknown;
  const parts = [
    `${ready} of ${all} ready`,
    ...(atRisk > 0 ? [paint('yellow', `${atRisk} at risk`)] : []),
    ...(notReady > 0 ? [paint('red', `${notReady} not ready`)] : []),
    ...(unknown > 0 ? [`${unknown} not looked at yet`] : []),
  ];
  return `${parts.join(', ')}; all of it: ${paintStatus(paint, state)}`;
}

function part(whole: Whole, rows: readonly Row[], { paint, clock }: Context): string {
  const head = `${paint('bold', whole.labscape)}  ${readinessLine(whole, paint)}`;
  const about = whole.reasons.length === 0 ? [] : [`  all of it: ${why(whole)}`];
  const behind = whole.behind > 0 ? [paint('yellow', `  ${whole.behind} wait to be planned anew`)] : [];
  const cells = rows.map((row) => [
    ...[row.resource, paintStatus(paint, row.state), within(row), ago(row.since, clock.now()), why(row)],
  ]);
  const list = cells.length === 0 ? ['no resources'] : [table(COLUMNS, cells, (text) => paint('dim', text))];
  const drill = whole.lastDrill;
  const rehearsed =
    drill === undefined
      ? []
      : [`last drill ${ago(drill.at, clock.now())}: ${paintStatus(paint, drill.status)}, ${drill.why}`];
  const looked = paint('dim', `looked at ${ago(whole.checkedAt, clock.now())}`);
  return [head, ...about, ...behind, ...list, ...rehearsed, looked].join('\n');
}

export const readiness = defineCommand({
  name: 'readiness',
  usage: '[--labscape L]',
  summary: 'if each resource, and each labscape, failed now: would its work find a place',
  flags: z.strictObject({ labscape: flag.text.optional() }),
  run: async (context, { flags: { labscape } }) => {
    const query = { limit: PAGE_MAX, ...(labscape !== undefined && { labscape }) };
    const first = await context.client.call('listReadiness', { query });
    const items = [...first.items];
    for (let next = first.next; next !== undefined; ) {
      const page = await context.client.call('listReadiness', { query: { ...query, cursor: next } });
      items.push(...page.items);
      next = page.next;
    }
    const { labscapes } = first;
    context.show({ labscapes, items }, () => {
      if (labscapes.length === 0) return 'Nothing has been looked at yet: the sweep does, each minute.';
      const rowsOf = Map.groupBy(items, (row) => row.labscape);
      return labscapes.map((whole) => part(whole, rowsOf.get(whole.labscape) ?? [], context)).join('\n\n');
    });
    return EXIT.done;
  },
});
