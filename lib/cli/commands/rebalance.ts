import * as z from 'zod';
import { ASKED_GOALS, type RebalanceAnswer, TIDY_GROUPS } from '../../schemas/rebalance.ts';
import { defineCommand, EXIT, flag } from '../command.ts';
import { counted, duration } from '../format.ts';
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

type Tidied = NonNullable<RebalanceAnswer['tidied']>[number];

const tidiedLines = ({
  kind,
  class: cls,
  from,
  into,
  members,
  transactions,
  why,
  buys,
  ...rest
}: Tidied): string[] => [
  `${kind} ${cls} ${from} → ${into ?? 'a new group'} on ${rest.resource}: ${counted(members, 'member')}, ${counted(transactions, 'transaction')}, ${rest.outcome}${rest.reason === undefined ? '' : `: ${rest.reason}`}`,
  `  why: ${why}`,
  `  buys: ${buys}`,
];

const tidyLines = (answer: RebalanceAnswer): string[] => {
  const { dryRun, before, after, cost, tidied = [], stopped, leftAlone } = answer;
  return [
    `${dryRun ? 'would tidy' : 'tidied'} groups: ${before} untidy → ${after}, ${counted(cost, 'allocation is', 'allocations are')} written, none restarts`,
    ...(tidied.length === 0 ? ['nothing to tidy'] : tidied.flatMap(tidiedLines)),
    `no more because ${stopped === 'moves' ? 'of as many transactions as were asked for' : 'nothing else is to be merged or split'}`,
    ...leftAloneLines(leftAlone),
  ];
};

const leftAloneLines = (leftAlone: RebalanceAnswer['leftAlone']): string[] => {
  const stays = Object.entries(leftAlone).map(([reason, count]) => `${reason} ${count}`);
  return stays.length === 0 ? [] : [`left alone: ${stays.join(', ')}`];
};

function rebalanceLines(
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
  if (goal === TIDY_GROUPS) return tidyLines(answer);
  return [
    `${dryRun ? 'would rebalance' : 'rebalanced'} towards ${goal} (${better} is better): ${before.toFixed(4)} → ${after.toFixed(4)}`,
    `gain ${gain.toFixed(4)}, cost ${cost.toFixed(4)}, in worths of one resource`,
    ...(rows.length === 0 ? ['nothing to move'] : [table(COLUMNS, rows, paintHead)]),
    `no more because ${STOPPED[stopped]}`,
    ...leftAloneLines(leftAlone),
    ...labscapes.map(
      ({ labscape, mode, movesInWindow, movesPerWindow, windowMs }) =>
        `${labscape}: ${mode}, ${movesInWindow} of ${counted(movesPerWindow, 'move')} in ${duration(windowMs)}`,
    ),
  ];
}

export const rebalance = defineCommand({
  name: 'rebalance',
  usage: `[--goal ${ASKED_GOALS.join('|')}] [--labscape L,…] [--moves N] [--apply]`,
  summary: 'what moving (or tidying) groups would gain, a step of it; with --apply it is carried out',
  flags: z.strictObject({
    goal: flag.oneOf(ASKED_GOALS).default('lower-maximum'),
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
