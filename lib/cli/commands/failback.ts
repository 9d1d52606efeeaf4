import * as z from 'zod';
import type { Failback } from '../../schemas/failback.ts';
import { defineCommand, EXIT, flag, positional } from '../command.ts';
import { counted } from '../format.ts';
import { table } from '../table.ts';

const COLUMNS = [
  ...['GROUP', 'CLASS'].map((title) => ({ title })),
  { title: 'ALLOCATIONS', align: 'right' as const },
  ...['FROM', 'OUTCOME'].map((title) => ({ title })),
];

const outcomeOf = ({ outcome, reason, later }: Failback['groups'][number]): string =>
  reason === undefined ? outcome : `${outcome}: ${reason}${later === true ? ', for now' : ''}`;

function failbackLines(answer: Failback, paintHead: (text: string) => string): string[] {
  const { resource, recovery, dryRun, groups } = answer;
  if (recovery === undefined) return [`nothing is left that would go home to ${resource}`];
  const went = groups.filter(({ outcome }) => outcome !== 'stays').length;
  const rows = groups.map((one) => [
    ...[one.group, one.class ?? '-', String(one.count), one.from ?? '-'],
    outcomeOf(one),
  ]);
  return [
    `${went} of ${counted(groups.length, 'group')} that ${recovery} moved away ${dryRun ? 'would go' : 'went'} home to ${resource}`,
    ...(rows.length === 0 ? [] : [table(COLUMNS, rows, paintHead)]),
  ];
}

export const failback = defineCommand({
  name: 'failback',
  usage: 'RESOURCE --reason WHY [--moves N] [--dry-run]',
  summary: 'take home what the last recovery moved off a resource that is back, a step of it',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({
    reason: flag.text,
    moves: flag.whole.optional(),
    'dry-run': flag.on.optional(),
  }),
  run: async (context, invocation) => {
    const { reason, moves, 'dry-run': dryRun } = invocation.flags;
    const answer = await context.client.call('failBack', {
      params: { resource: positional(invocation, 0) },
      body: { reason, dryRun: dryRun === true, ...(moves !== undefined && { movesMax: moves }) },
    });
    context.show(answer, () => failbackLines(answer, (text) => context.paint('dim', text)).join('\n'));
    return EXIT.done;
  },
});
