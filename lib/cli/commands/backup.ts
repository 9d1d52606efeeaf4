import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { BackupRun } from '../../schemas/backup.ts';
import {
  type Context,
  defineCommand,
  EXIT,
  type ExitCode,
  flag,
  positional,
  UsageError,
} from '../command.ts';
import { ago, counted, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { type Column, table } from '../table.ts';

const COLUMNS: readonly Column[] = [
  ...[{ title: 'RUN' }, { title: 'KIND' }, { title: 'STATUS' }],
  { title: 'STARTED', align: 'right' },
  { title: 'TOOK', align: 'right' },
  { title: 'DATA AGE', align: 'right' },
  { title: 'ABOUT' },
];
const POLL_MS = 1_000;

const hindranceOf = ({ lastTry }: BackupRun, { clock }: Pick<Context, 'clock'>): string[] =>
  lastTry === undefined ? [] : [`not taken yet, tried ${ago(lastTry.at, clock.now())}: ${lastTry.why}`];

const about = (run: BackupRun, context: Pick<Context, 'clock'>): string => {
  const { why, counts, bytes, backup, removedAt } = run;
  return [
    ...(backup === undefined ? [] : [`of ${backup}`]),
    ...(counts === undefined
      ? []
      : [`${counted(counts['allocations'] ?? 0, 'allocation')}, ${counted(counts['events'] ?? 0, 'event')}`]),
    ...(bytes === undefined ? [] : [`${(bytes / 1024).toFixed(0)} KiB`]),
    ...(removedAt === undefined ? [] : ['removed']),
    ...(why === undefined ? [] : [why]),
    ...hindranceOf(run, context),
  ].join('; ');
};

const row = (run: BackupRun, context: Context): string[] => [
  ...[run.id, run.kind, paintStatus(context.paint, run.status), ago(run.startedAt, context.clock.now())],
  run.ms === undefined ? '-' : duration(run.ms),
  run.dataAgeMs === undefined ? '-' : duration(run.dataAgeMs),
  about(run, context),
];

async function list(context: Context): Promise<ExitCode> {
  const found = await context.client.call('listBackups');
  const { paint, clock } = context;
  const last = (what: string, at: number | undefined): string =>
    `last good ${what}: ${at === undefined ? paint('red', 'never') : ago(at, clock.now())}`;
  context.show(found, () =>
    [
      table(
        COLUMNS,
        found.items.map((run) => row(run, context)),
        (text) => paint('dim', text),
      ),
      last('backup', found.lastBackupAt),
      last('drill', found.lastDrillAt),
    ].join('\n'),
  );
  return EXIT.done;
}

/** Asks for one, and follows it to its end unless told otherwise. */
async function ask(
  context: Context,
  kind: BackupRun['kind'],
  reason: string,
  follow: boolean,
): Promise<ExitCode> {
  let run: BackupRun = await context.client.call('requestBackup', { body: { kind, reason } });
  if (follow) context.io.err(`${kind} ${run.id} is asked for and begins within a minute\n`);
  while (follow && run.status === 'requested' && !context.io.interrupted.aborted) {
    await sleep(POLL_MS, undefined, { signal: context.io.interrupted }).catch(() => undefined);
    const { items } = await context.client.call('listBackups');
    const before = run;
    run = items.find(({ id }) => id === before.id) ?? before;
    if (run.lastTry !== undefined && run.lastTry.why !== before.lastTry?.why)
      context.io.err(`${hindranceOf(run, context).join('')}\n`);
  }
  context.show(
    run,
    () => `${run.kind} ${run.id} is ${paintStatus(context.paint, run.status)}: ${about(run, context)}`,
  );
  return run.status === 'failed' ? EXIT.failed : EXIT.done;
}

export const backup = defineCommand({
  name: 'backup',
  usage: 'list | now --reason WHY [--no-wait] | drill --reason WHY [--no-wait]',
  summary: 'backups and restore drills: list them, ask for one and wait for its end',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({ reason: flag.text.optional(), 'no-wait': flag.on.optional() }),
  run: async (context, invocation) => {
    const what = positional(invocation, 0);
    const { reason, 'no-wait': noWait } = invocation.flags;
    if (what === 'list') return list(context);
    if (what !== 'now' && what !== 'drill') throw new UsageError(`does not understand ${what}`);
    if (reason === undefined) throw new UsageError('say --reason: why it is asked for');
    return ask(context, what === 'now' ? 'backup' : 'drill', reason, noWait !== true);
  },
});
