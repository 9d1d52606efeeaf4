import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { Id } from '../../schemas/common.ts';
import {
  type PlanQuote,
  type PlanRun,
  type RecoveryPlan,
  RecoveryPlanInput,
  takesOut,
} from '../../schemas/recovery-plan.ts';
import {
  type Context,
  defineCommand,
  EXIT,
  type ExitCode,
  flag,
  positional,
  UsageError,
} from '../command.ts';
import { FleetFileError, parseYamlAs } from '../fleet-file/parse.ts';
import { counted, duration, instant } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { table } from '../table.ts';

type Run = z.output<typeof PlanRun>;
type Plan = z.output<typeof RecoveryPlan>;
type Quote = z.output<typeof PlanQuote>;

const PlanFile = RecoveryPlanInput.extend({ id: Id });
const ADVANCE_EVERY_MS = 1_000;
/** Of a step. */
const RECOVERIES_SHOWN = 8;
const OVER: readonly Run['status'][] = ['done', 'degraded', 'cancelled'];

const stepName = (steps: Run['steps'], at: number): string => steps[at]?.name ?? `step ${at + 1}`;

const listed = (titles: readonly string[], rows: readonly string[][], { paint }: Context): string =>
  table(
    titles.map((title) => ({ title })),
    rows,
    (text) => paint('dim', text),
  );

const howOf = ({ how = 'fail', graceMs, budgetMs }: Run['steps'][number]): string =>
  [
    how,
    ...(graceMs === undefined ? [] : [`${duration(graceMs)} grace`]),
    ...(budgetMs === undefined ? [] : [`within ${duration(budgetMs)}`]),
  ].join(', ');

const total = (counts: readonly number[]): number => counts.reduce((sum, one) => sum + one, 0);

/** What of the work is home, and why the rest is not. */
function homeLine(homes: NonNullable<Run['progress'][number]['homes']>): string {
  const why = new Map<string, number>();
  for (const one of homes)
    for (const [reason, count] of Object.entries(one.why)) why.set(reason, (why.get(reason) ?? 0) + count);
  const reasons = [...why].map(([reason, count]) => `${count} ${reason}`).join(', ');
  const left = total(homes.map((one) => one.left));
  const stays = total(homes.map((one) => one.stays));
  const home = `${counted(total(homes.map((one) => one.home)), 'group is', 'groups are')} home, ${left} may go yet, ${counted(stays, 'stays', 'stay')}`;
  return `    ${home}${reasons === '' ? '' : ` (${reasons})`}`;
}

function renderPlan({ id, name, cfg, changedBy, changedAt, steps, run }: Plan, context: Context): string {
  const rows = steps.map((step, at) => [
    ...[String(at + 1), stepName(steps, at), howOf(step), (step.labscapes ?? []).join(', ') || '-'],
    ...[(step.resources ?? []).join(', ') || '-', (step.classes ?? []).join(', ') || 'all'],
    ...[step.pauseMs === 0 ? '-' : duration(step.pauseMs), step.approval ? 'yes' : '-'],
  ]);
  const titles = ['STEP', 'NAME', 'HOW', 'LABSCAPES', 'RESOURCES', 'CLASSES', 'PAUSE BEFORE', 'ASKS'];
  const head = `${context.paint('bold', id)}  ${name}, version ${cfg} by ${changedBy}, ${instant(changedAt)}`;
  return [head, listed(titles, rows, context), ...(run === undefined ? [] : [`run ${run} is not over`])].join(
    '\n',
  );
}

/** Where to look further; of many the first. */
function recoveriesLine(recoveries: readonly string[]): string {
  const more = recoveries.length - RECOVERIES_SHOWN;
  const rest = more > 0 ? ` and ${more} more` : '';
  return `    recoveries ${recoveries.slice(0, RECOVERIES_SHOWN).join(', ')}${rest}`;
}

function renderRun(run: Run, { paint }: Context): string {
  const lines = [
    `${paint('bold', run.plan)} run ${run.id}  ${paintStatus(paint, run.status)}: ${run.reason}`,
  ];
  for (const [at, { startedAt, endedAt, targets, outcome, homes, recoveries }] of run.progress.entries()) {
    const took = endedAt === undefined ? 'under way' : duration(endedAt - startedAt);
    const word = outcome === undefined ? '' : `, ${paintStatus(paint, outcome)}`;
    lines.push(`  ${stepName(run.steps, at)}: ${counted(targets.length, 'resource')}, ${took}${word}`);
    if (homes !== undefined) lines.push(homeLine(homes));
    if (outcome !== 'done' && recoveries.length > 0) lines.push(recoveriesLine(recoveries));
  }
  const next = `  next: ${stepName(run.steps, run.step)}`;
  if (run.status === 'pausing' && run.dueAt !== undefined) lines.push(`${next}, at ${instant(run.dueAt)}`);
  const about = run.steps[run.step]?.name;
  const name = about === undefined ? '' : ` (${about})`;
  if (run.asks !== undefined)
    lines.push(
      paint('yellow', `  ${run.asks}${name}? labscape plan approve ${run.plan} --reason WHY, or cancel`),
    );
  const until = OVER.includes(run.status) ? '' : '; it ends with the step that is under way';
  if (run.cancel !== undefined) lines.push(`  called off by ${run.cancel}${until}`);
  return lines.join('\n');
}

function renderPlanQuote(quote: Quote, context: Context): string {
  const rows = quote.steps.map(
    ({ name, how, resources, quote: { groups, graceful = 0, allocations, pending, rehomedShare } }) => [
      ...[name, how, String(resources.length), String(groups), how === 'drain' ? String(graceful) : '-'],
      ...[String(allocations), String(pending)],
      !takesOut(how) ? '-' : `${Math.round(rehomedShare * 100)} %`,
    ],
  );
  const titles = ['STEP', 'HOW', 'RESOURCES', 'GROUPS', 'GRACEFUL', 'ALLOCATIONS', 'WOULD WAIT', 'RE-HOMED'];
  return [listed(titles, rows, context), context.paint('dim', `quote ${quote.hash}`)].join('\n');
}

const isAsSaid = ({ id, name, steps }: Plan, said: Omit<z.output<typeof PlanFile>, 'id'>): boolean =>
  isDeepStrictEqual([name, steps], [said.name ?? id, said.steps]);

async function load(path: string): Promise<z.output<typeof PlanFile>> {
  try {
    return parseYamlAs(PlanFile, await readFile(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof FleetFileError) throw new UsageError(error.message);
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new UsageError(`there is no file ${path}`);
    throw error;
  }
}

/** Drives the run and shows each change, until it is over or asks. 0 only for `done`. */
async function follow(context: Context, first: Run): Promise<ExitCode> {
  const { client, io, json } = context;
  let run = first;
  let shown = -1;
  for (;;) {
    if (run.rev !== shown) io.out(`${json ? JSON.stringify(run) : renderRun(run, context)}\n`);
    shown = run.rev;
    if (OVER.includes(run.status)) return run.status === 'done' ? EXIT.done : EXIT.failed;
    if (run.status === 'asking') return EXIT.pending;
    await sleep(ADVANCE_EVERY_MS, undefined, { signal: io.interrupted });
    run = await client.call('advancePlanRun', { params: { plan: run.plan, run: run.id } });
  }
}

/** The run that is not over. */
async function openRun({ client }: Context, plan: string): Promise<{ plan: string; run: string }> {
  const { run } = await client.call('getPlan', { params: { plan } });
  if (run === undefined) throw new UsageError(`plan ${plan} has no run that is not over`);
  return { plan, run };
}

interface Flags {
  readonly reason?: string | undefined;
  readonly quote?: string | undefined;
  readonly 'dry-run'?: boolean | undefined;
  readonly watch?: boolean | undefined;
}

const reasonOf = ({ reason }: Flags): string => {
  if (reason === undefined) throw new UsageError('--reason is missing');
  return reason;
};

const VERBS: Readonly<
  Record<string, (context: Context, word: string | undefined, flags: Flags) => Promise<ExitCode>>
> = {
  list: async (context) => {
    const { items } = await context.client.call('listPlans');
    context.show(
      items,
      () => items.map((one) => renderPlan(one, context)).join('\n\n') || 'There is no plan yet.',
    );
    return EXIT.done;
  },
  apply: async (context, file = '') => {
    const { id, ...body } = await load(file);
    const params = { plan: id };
    const before = (await context.client.call('listPlans')).items.find((one) => one.id === id);
    if (before !== undefined && isAsSaid(before, body)) {
      const said = context.paint('dim', 'It is as the file says already: nothing was written.');
      context.show(before, () => `${renderPlan(before, context)}\n${said}`);
      return EXIT.done;
    }
    const headers = { 'if-match': `"${before?.cfg ?? 0}"` };
    const after = await context.client.call('putPlan', { params, body, headers });
    context.show(after, () => renderPlan(after, context));
    return EXIT.done;
  },
  show: async (context, plan = '') => {
    const params = { plan };
    const [shown, { items }] = await Promise.all([
      context.client.call('getPlan', { params }),
      context.client.call('listPlanRuns', { params }),
    ]);
    context.show({ plan: shown, runs: items }, () =>
      [renderPlan(shown, context), ...items.map((run) => renderRun(run, context))].join('\n\n'),
    );
    return EXIT.done;
  },
  run: async (context, plan = '', flags) => {
    const dryRun = flags['dry-run'] ?? false;
    const body = {
      reason: reasonOf(flags),
      dryRun,
      ...(flags.quote !== undefined && { quote: flags.quote }),
    };
    const answer = await context.client.call('runPlan', { params: { plan }, body });
    if ('hash' in answer) {
      context.show(answer, () => renderPlanQuote(answer, context));
      return EXIT.done;
    }
    if (flags.watch === true) return follow(context, answer);
    context.show(answer, () => renderRun(answer, context));
    return EXIT.done;
  },
  approve: async (context, plan = '', flags) => {
    const params = await openRun(context, plan);
    const body = { decision: 'approve' as const, reason: reasonOf(flags) };
    const run = await context.client.call('answerPlanRun', { params, body });
    if (flags.watch === true) return follow(context, run);
    context.show(run, () => renderRun(run, context));
    return EXIT.done;
  },
  watch: async (context, plan = '') => {
    const params = await openRun(context, plan);
    return follow(context, await context.client.call('advancePlanRun', { params }));
  },
  cancel: async (context, plan = '', flags) => {
    const params = await openRun(context, plan);
    const run = await context.client.call('cancelPlanRun', { params, body: { reason: reasonOf(flags) } });
    context.show(run, () => renderRun(run, context));
    return EXIT.done;
  },
};

export const plan = defineCommand({
  name: 'plan',
  usage:
    'list | apply FILE.yaml | show PLAN | run PLAN --reason WHY [--dry-run] [--quote HASH] [--watch] | watch PLAN | approve PLAN --reason WHY [--watch] | cancel PLAN --reason WHY',
  summary:
    'recovery and maintenance plans: ordered steps with pauses and approvals; write, show and run them',
  positionals: { min: 1, max: 2 },
  flags: z.strictObject({
    reason: flag.text.optional(),
    quote: flag.text.optional(),
    'dry-run': flag.on.optional(),
    watch: flag.on.optional(),
  }),
  run: async (context, invocation) => {
    const verb = VERBS[positional(invocation, 0)];
    if (verb === undefined) throw new UsageError(`knows no ${positional(invocation, 0)}`);
    const [, word] = invocation.positionals;
    if (word === undefined && verb !== VERBS['list']) throw new UsageError('which plan is missing');
    return verb(context, word, invocation.flags);
  },
});
