import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Recovery } from '../../schemas/recovery.ts';
import { type Context, defineCommand, EXIT, flag, UsageError } from '../command.ts';
import { ago, counted, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { table } from '../table.ts';
import { renderRecovery } from '../timeline.ts';
import { followRecovery } from './recovery-watch.ts';

type Report = z.output<typeof Recovery>;

const WATCH_EVERY_MS = 500;
/** How many of the newest are shown unless --limit says otherwise. */
const SHOWN = 20;

/** Before that nothing was re-homed, and no share of it is told. */
const isFlipped = ({ phases }: Report): boolean => phases.some(({ name }) => name === 'Failover');

function render(all: readonly Report[], context: Context): string {
  if (all.length === 0) return 'No recoveries.';
  const nowMs = context.clock.now();
  const rows = all.map((one) => [
    ...[one.id, one.resource, paintStatus(context.paint, one.status), one.trigger, ago(one.startedAt, nowMs)],
    ...[duration(one.workMs), duration(one.waitedMs), String(one.moves.length), String(one.pending.length)],
    ...[isFlipped(one) ? `${Math.round(one.rehomedShare * 100)} %` : '-', one.nextPhase ?? '-'],
  ]);
  const columns = [
    ...['ID', 'RESOURCE', 'STATUS', 'TRIGGER', 'STARTED'].map((title) => ({ title })),
    ...['WORK', 'WAITED', 'MOVED', 'PENDING', 'REHOMED'].map((title) => ({ title, align: 'right' as const })),
    { title: 'NEXT' },
  ];
  return table(columns, rows, (text) => context.paint('dim', text));
}

async function newest(context: Context, limit: number): Promise<Report[]> {
  const page = await context.client.call('listRecoveries', { query: { limit } });
  return page.items;
}

/** A line for every recovery that is new or has another status or phase, until interrupted. */
async function watchAll(context: Context, limit: number): Promise<typeof EXIT.done> {
  const { io, json, paint } = context;
  const seen = new Map<string, string>();
  while (!io.interrupted.aborted) {
    for (const one of (await newest(context, limit)).reverse()) {
      const state = `${one.status} ${one.nextPhase ?? ''}`;
      if (seen.get(one.id) === state) continue;
      seen.set(one.id, state);
      const next = one.nextPhase === undefined ? '' : ` next ${one.nextPhase}`;
      io.out(
        json
          ? `${JSON.stringify(one)}\n`
          : `${one.id}  ${paintStatus(paint, one.status)}${paint('dim', next)}  ${one.reason}\n`,
      );
    }
    await sleep(WATCH_EVERY_MS, undefined, { signal: io.interrupted }).catch(() => undefined);
  }
  return EXIT.done;
}

/** What the decisions were made of, as a file that `npm run replay` takes. */
async function saveCapsule(context: Context, recovery: string, path: string): Promise<typeof EXIT.done> {
  const capsule = await context.client.call('getCapsule', { params: { recovery } });
  await writeFile(path, `${JSON.stringify(capsule)}\n`);
  const missing = capsule.missing.map(({ phase, why }) => `\nincomplete: ${phase}: ${why}`).join('');
  context.show(
    { path, steps: capsule.steps.map(({ phase }) => phase), missing: capsule.missing },
    () =>
      `${counted(capsule.steps.length, 'step')} of recovery ${recovery} ${capsule.steps.length === 1 ? 'is' : 'are'} in ${path}${missing}`,
  );
  return EXIT.done;
}

export const recoveries = defineCommand({
  name: 'recoveries',
  usage: '[ID] [--watch] [--limit N] [--capsule FILE]',
  summary:
    'recoveries, or the report of one; --watch follows, --capsule saves what its decisions were made of',
  positionals: { min: 0, max: 1 },
  flags: z.strictObject({
    watch: flag.on.optional(),
    limit: flag.whole.optional(),
    capsule: flag.text.optional(),
  }),
  run: async (context, { flags, positionals }) => {
    const [recovery] = positionals;
    const limit = flags.limit ?? SHOWN;
    if (recovery === undefined) {
      if (flags.capsule !== undefined) throw new UsageError('saves the capsule of one recovery: name it');
      if (flags.watch) return watchAll(context, limit);
      const all = await newest(context, limit);
      context.show(all, () => render(all, context));
      return EXIT.done;
    }
    if (flags.capsule !== undefined) return saveCapsule(context, recovery, flags.capsule);
    if (flags.watch) return followRecovery(context, recovery);
    const report = await context.client.call('getRecovery', { params: { recovery } });
    context.show(report, () => renderRecovery(report, context.paint));
    return EXIT.done;
  },
});
