import * as z from 'zod';
import type { Drill } from '../../schemas/drills.ts';
import { type Context, defineCommand, EXIT, positional } from '../command.ts';
import { ago, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { type Column, table } from '../table.ts';

const COLUMNS: readonly Column[] = [
  ...[{ title: 'BEGAN' }, { title: 'TOOK' }, { title: 'STATUS' }, { title: 'EFFECT' }],
  ...['GROUPS', 'WOULD WAIT'].map((title) => ({ title, align: 'right' as const })),
  { title: 'WHY' },
];

const rowOf = (drill: Drill, { paint, clock }: Context): string[] => [
  ...[ago(drill.at, clock.now()), drill.endedAt === undefined ? '-' : duration(drill.endedAt - drill.at)],
  ...[paintStatus(paint, drill.status), drill.effect ? `drained ${drill.resource ?? '-'}` : 'none'],
  ...[String(drill.groups), String(drill.pending), drill.why],
];

export const drills = defineCommand({
  name: 'drills',
  usage: 'LABSCAPE',
  summary: 'the last drills that the policy of a labscape had done, and what came of them',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({}),
  run: async (context, invocation) => {
    const labscape = positional(invocation, 0);
    const { items, waits } = await context.client.call('listDrills', { params: { labscape } });
    context.show(items, () =>
      [
        items.length === 0
          ? `${labscape} was not drilled in the last 90 days.`
          : table(
              COLUMNS,
              items.map((drill) => rowOf(drill, context)),
              (text) => context.paint('dim', text),
            ),
        ...(waits === undefined ? [] : [`A drill is due, and waits: ${waits}.`]),
      ].join('\n'),
    );
    return EXIT.done;
  },
});
