import type * as z from 'zod';
import type { QuoteSummary } from '../schemas/quote.ts';
import type { Recovery } from '../schemas/recovery.ts';
import { counted, demand, duration, instant } from './format.ts';
import { type Paint, paintStatus } from './paint.ts';
import { type Column, table } from './table.ts';

type Report = z.output<typeof Recovery>;

/** One line of it. */
interface Phase {
  readonly name: string;
  /** One more than before where another execution took over. */
  readonly attempt?: number;
  /** The controller's own work. */
  readonly ms: number;
  readonly waitedMs: number;
  readonly budgetMs?: number | undefined;
  readonly within: boolean;
}

/** Width of the longest bar, characters. */
const BAR_WIDTH = 32;
const WORK = '█';
const WAIT = '░';

const COLUMNS: readonly Column[] = [
  { title: 'PHASE' },
  { title: 'MS', align: 'right' },
  { title: 'BUDGET', align: 'right' },
  { title: 'WITHIN' },
  { title: 'WAITED', align: 'right' },
  { title: `${WORK} WORK ${WAIT} WAIT` },
];

/** Work and wait to one scale; whatever took time at all is seen. */
function bar(phase: Phase, longestMs: number, paint: Paint): string {
  const cells = (ms: number) => (ms <= 0 ? 0 : Math.max(1, Math.round((ms / longestMs) * BAR_WIDTH)));
  const work = WORK.repeat(Math.min(BAR_WIDTH, cells(phase.ms)));
  return paint(phase.within ? 'green' : 'yellow', work) + paint('dim', WAIT.repeat(cells(phase.waitedMs)));
}

export function renderPhases(phases: readonly Phase[], paint: Paint): string {
  const longestMs = Math.max(1, ...phases.map(({ ms, waitedMs }) => ms + waitedMs));
  const first = Math.min(...phases.map(({ attempt = 1 }) => attempt));
  const rows = phases.map((phase) => [
    (phase.attempt ?? 1) > first ? `${phase.name} (attempt ${phase.attempt})` : phase.name,
    phase.ms.toFixed(1),
    phase.budgetMs === undefined ? '-' : String(phase.budgetMs),
    phase.budgetMs === undefined ? '' : phase.within ? paint('green', 'yes') : paint('yellow', 'no'),
    phase.waitedMs > 0 ? duration(phase.waitedMs) : '-',
    bar(phase, longestMs, paint),
  ]);
  return table(COLUMNS, rows, (text) => paint('dim', text));
}

const figures = (isGraceful: boolean): readonly Column[] => [
  { title: '' },
  ...(isGraceful ? [{ title: 'GRACEFUL', align: 'right' as const }] : []),
  ...['MOVED', 'WAIT', 'TARGETS', 'RE-HOMED', 'FENCE'].map((title) => ({ title, align: 'right' as const })),
];

const figuresOf = (
  name: string,
  outcome: NonNullable<Report['quoted']> | NonNullable<Report['actual']>,
  isGraceful: boolean,
) => [
  ...[
    name,
    ...(isGraceful ? [String(outcome.graceful ?? '-')] : []),
    String(outcome.moved),
    String(outcome.pending),
    String(outcome.targets),
  ],
  `${Math.round(outcome.rehomedShare * 100)} %`,
  outcome.fenceWaitMs === undefined ? '-' : duration(outcome.fenceWaitMs),
];

/** What was said beforehand beside what came of it; nothing before the flip. */
function outcomeLines({ quoted, actual }: Report): readonly string[] {
  if (quoted === undefined || actual === undefined) return [];
  const said = quoted.by === 'approval' ? 'quoted, as approved' : 'quoted by the plan';
  const isGraceful = actual.graceful !== undefined;
  const rows = [figuresOf(said, quoted, isGraceful), figuresOf('came of it', actual, isGraceful)];
  return ['', table(figures(isGraceful), rows), ''];
}

/** What a recovery that asks for approval would do: `11 groups with 12 allocations to 1 resource: 100 % of the demand`. */
export const quoteWords = ({ groups, allocations, targets, rehomedShare }: QuoteSummary): string =>
  `${counted(groups, 'group')} with ${counted(allocations, 'allocation')} to ${counted(targets, 'resource')}: ${Math.round(rehomedShare * 100)} % of the demand`;

/** What it asks, and how it is answered; nothing where it asks nothing. */
export function askLines({ id, resource, status, waiting, cancel }: Report, paint: Paint): readonly string[] {
  const quote = waiting?.quote;
  if (status !== 'awaiting-approval' || quote === undefined || cancel !== undefined) return [];
  const waits = quote.pending === 0 ? [] : [`of them ${counted(quote.pending, 'group')} would wait for room`];
  return [
    paint('yellow', `it would move ${quoteWords(quote)}`),
    ...waits.map((line) => paint('yellow', line)),
    `labscape approve ${id} --reason WHY, or reject; labscape quote ${resource} says more`,
    paint('dim', `quote ${quote.hash}`),
  ];
}

/** The whole report of a recovery: what happened, how long each phase took, where the work is now. */
export function renderRecovery(report: Report, paint: Paint): string {
  const { id, status, resource, labscape, trigger, reason, startedAt, phases, moves, pending } = report;
  const lines = [
    `${paint('bold', id)}  ${paintStatus(paint, status)}`,
    `${resource} in ${labscape}, started ${instant(startedAt)} by ${trigger}: ${reason}`,
  ];
  const { silentSince = 0, verdictAt = 0 } = report;
  // Somebody may declare a resource failed that is not silent at all.
  if (trigger === 'detector' && verdictAt > silentSince && silentSince > 0) {
    lines.push(`silent for ${duration(verdictAt - silentSince)} before the verdict`);
  }
  lines.push('', phases.length === 0 ? 'No phase has ended yet.' : renderPhases(phases, paint));
  lines.push('', `work ${duration(report.workMs)}, waited ${duration(report.waitedMs)}`);
  const targets = [...new Set(moves.map(({ to }) => to))];
  const count = moves.reduce((sum, move) => sum + move.count, 0);
  const share = `${Math.round(report.rehomedShare * 100)} % of the demand`;
  lines.push(
    moves.length === 0
      ? 'nothing was moved'
      : `${counted(moves.length, 'group')} with ${counted(count, 'allocation')} went to ${targets.join(', ')}: ${share} in the first transaction`,
  );
  lines.push(...outcomeLines(report), ...askLines(report, paint));
  for (const { group, count: waiting, demand: asked, reason: because } of pending) {
    lines.push(
      paint('yellow', `${group} waits: ${counted(waiting, 'allocation')}, ${demand(asked)}: ${because}`),
    );
  }
  return lines.join('\n');
}
