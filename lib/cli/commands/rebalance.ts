import * as z from 'zod';
import { GOALS, type RebalanceAnswer } from '../../schemas/rebalance.ts';
import { defineCommand, EXIT, flag } from '../command.ts';
import { table } from '../table.ts';

const COLUMNS = [
  ...['GROUP', 'CLASS', 'FROM', 'TO'].map((title) => ({ title })),
  ...['FROM %', 'TO %', 'GAIN', 'COST'].map((title) => ({ title, align: 'right' as const })),
  { title: 'OUTCOME' },
];

const percent = (share: number): string => (100 * share).toFixed(1);
const change = (before: number, after: number): string => `${percent(before)} → ${percent(after)}`;

const STOPPED: Readonly<Record<RebalanceAnswer['stopped'], string>> = {
  moves: 'as many moves as were asked for',
  window: 'the labscapes allow no more moves in this window',
  work: 'the step has done its share of work; another one goes on',
  'nothing-gains': 'no other move gains more than it costs',
};

export function rebalanceLines(
  answer: RebalanceAnswer,
  paintHead: (text: string) => string = (text) => text,
): string[] {
  const { goal, dryRun, better, before, after, gain, cost, moves, stopped, leftAlone, labscapes } = answer;
  const rows = moves.map((move) => [
    ...[move.group, move.class, move.from, move.to],
    change(move.before.from, move.after.from),
    change(move.before.to, move.after.to),
    ...[move.gain.toFixed(4), move.cost.toFixed(4)],
    move.reason === undefined ? move.outcome : `${move.outcome}: ${move.reason}`,
  ]);
  const stays = Object.entries(leftAlone).map(([reason, count]) => `${reason} ${count}`);
  return [
    `${dryRun ? 'would rebalance' : 'rebalanced'} towards ${goal} (${better} is better): ${before.toFixed(4)} → ${after.toFixed(4)}`,
    `gain ${gain.toFixed(4)}, cost ${cost.toFixed(4)}, in worths of one resource`,
    ...(rows.length === 0 ? ['nothing to move'] : [table(COLUMNS, rows, paintHead)]),
    `no more because ${STOPPED[stopped]}`,
    ...(stays.length === 0 ? [] : [`left alone: ${stays.join(', ')}`]),
    ...labscapes.map(
      ({ labscape, mode, movesInWindow, movesPerWindow, windowMs }) =>
        `${labscape}: ${mode}, ${movesInWindow} of ${movesPerWindow} moves in ${windowMs / 1_000} s`,
    ),
  ];
}

export const rebalance = defineCommand({
  name: 'rebalance',
  usage: `[--goal ${GOALS.join('|')}] [--labscape L,…] [--moves N] [--apply]`,
  summary: 'what moving groups would gain, a step of it; with --apply it is carried out',
  flags: z.strictObject({
    goal: flag.oneOf(GOALS).default('lower-maximum'),
    labscape: flag.list.optional(),
    moves: flag.whole.optional(),
    apply: flag.on.optional(),
  }),
  run: async (context, { flags: { goal, labscape, moves, apply } }) => {
    const answer = await context.client.call('rebalance', {
      body: {
        ...{ goal, dryRun: apply !== true },
        ...(labscape !== undefined && { labscapes: labscape }),
        ...(moves !== undefined && { movesMax: moves }),
      },
    });
    context.show(answer, () => rebalanceLines(answer, (text) => context.paint('dim', text)).join('\n'));
    return EXIT.done;
  },
});
