import * as z from 'zod';
import type { Observed } from '../../schemas/observed.ts';
import { type Context, defineCommand, EXIT, positional } from '../command.ts';
import { ago, counted, duration } from '../format.ts';
import { table } from '../table.ts';

type Shown = z.output<typeof Observed>;

const COLOUR = { right: 'green', unneeded: 'yellow', undecided: 'dim' } as const;
const TITLES = ['RESOURCE', 'DECIDED', 'BECAUSE', 'WOULD HAVE', 'GROUPS', 'HINDSIGHT', 'WHY'];

function render(
  { labscape, mode, counts, items }: Shown,
  nowMs: number,
  { paint }: Pick<Context, 'paint'>,
): string {
  const head = `${paint('bold', labscape)}  ${paint('dim', mode)}`;
  if (items.length === 0) return `${head}\nNothing has failed here while it observed.`;
  const { right, unneeded, undecided } = counts;
  const said = `${counted(items.length, 'decision')}: ${right} right, ${unneeded} unneeded, ${undecided} undecided`;
  const rows = items.map((one) => [
    ...[one.resource, ago(one.decidedAt, nowMs), one.because, one.would, String(one.groups)],
    ...[paint(COLOUR[one.hindsight], one.hindsight), one.why],
  ]);
  const withinMs = [...new Set(items.map(({ unneededWithinMs }) => duration(unneededWithinMs)))].join(' or ');
  return [
    `${head}\n${said}. Who was back within ${withinMs} was better left alone.`,
    table(
      TITLES.map((title) => ({ title })),
      rows,
      (text) => paint('dim', text),
    ),
  ].join('\n');
}

export const observed = defineCommand({
  name: 'observed',
  usage: 'LABSCAPE',
  summary: 'what automation would have done where a labscape only observed, beside what really happened',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({}),
  run: async (context, invocation) => {
    const labscape = positional(invocation, 0);
    const answer = await context.client.call('listObserved', { params: { labscape } });
    context.show(answer, () => render(answer, context.clock.now(), context));
    return EXIT.done;
  },
});
