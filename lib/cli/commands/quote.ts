import * as z from 'zod';
import type { Quote } from '../../schemas/quote.ts';
import { type Context, defineCommand, EXIT, flag, UsageError } from '../command.ts';
import { counted, demand, duration } from '../format.ts';
import { table } from '../table.ts';

type Shown = z.output<typeof Quote>;

/** What a recovery would do, as people read it. */
export function renderQuote(quote: Shown, { paint }: Pick<Context, 'paint'>): string {
  const share = `${Math.round(quote.rehomedShare * 100)} % of the demand`;
  const what = `${counted(quote.moves.length, 'group')} with ${counted(quote.allocations, 'allocation')}`;
  const lines = [
    quote.moves.length === 0
      ? 'nothing would move'
      : `${what} would go to ${counted(quote.targets, 'resource')}: ${share}`,
  ];
  const graceful = quote.moves.filter((move) => move.graceful).length;
  if (graceful > 0) lines.push(`${graceful} of them gracefully, while their resource still runs`);
  const rows = quote.moves.map(
    ({ group, from, to, labscape, count, demand: asked, graceful: isGraceful }) => [
      ...[group, from, to, labscape, String(count), demand(asked)],
      isGraceful ? 'graceful' : 'behind the fence',
    ],
  );
  const titles = ['GROUP', 'FROM', 'TO', 'LABSCAPE', 'COUNT', 'DEMAND', 'HOW'];
  if (rows.length > 0)
    lines.push(
      '',
      table(
        titles.map((title) => ({ title, ...(title === 'COUNT' && { align: 'right' as const }) })),
        rows,
        (text) => paint('dim', text),
      ),
      '',
    );
  for (const { group, from, count, reason } of quote.pending)
    lines.push(paint('yellow', `${group} of ${from} would wait: ${counted(count, 'allocation')}, ${reason}`));
  for (const { resource, items, fenceWaitMs, objections } of quote.resources) {
    const wait = fenceWaitMs === 0 ? '' : `, after ${duration(fenceWaitMs)} for its lease`;
    lines.push(`${resource}: one transaction of ${counted(items, 'item')}${wait}`);
    if (objections.length === 0) lines.push('  by itself: it would proceed');
    for (const { rule, effect, explanation, override } of objections) {
      const aside = override === undefined ? '' : ` (set aside by override ${override})`;
      lines.push(`  by itself: ${rule} ${effect}: ${explanation}${aside}`);
    }
  }
  lines.push(paint('dim', `quote ${quote.hash}`));
  return lines.join('\n');
}

export const quote = defineCommand({
  name: 'quote',
  usage: 'RESOURCE… | --labscape L [--graceful]',
  summary: 'what recovering these resources now, or draining them with a grace, would do; changes nothing',
  positionals: { min: 0, max: 100 },
  flags: z.strictObject({ labscape: flag.text.optional(), graceful: flag.on.optional() }),
  run: async (context, { flags: { labscape, graceful }, positionals }) => {
    if ((labscape === undefined) === (positionals.length === 0))
      throw new UsageError('name resources, or a labscape with --labscape');
    const named = labscape === undefined ? { resources: [...positionals] } : { labscape };
    const body = { ...named, ...(graceful === true && { graceful }) };
    const answer = await context.client.call('quote', { body });
    context.show(answer, () => renderQuote(answer, context));
    return EXIT.done;
  },
});
