import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import { ApiProblem } from '../../client/api-error.ts';
import type { RECOVERY_STATUSES, Recovery } from '../../schemas/recovery.ts';
import { type Context, EXIT, type ExitCode } from '../command.ts';
import { duration } from '../format.ts';
import { askLines, renderRecovery } from '../timeline.ts';

const WATCH_EVERY_MS = 300;
/** A recovery that was just started is known only once its first phase has begun, ms. */
const BEGUN_WITHIN_MS = 5_000;
const UNFINISHED: ReadonlySet<(typeof RECOVERY_STATUSES)[number]> = new Set(['running', 'awaiting-approval']);

type Report = z.output<typeof Recovery>;

/**
 * Shows each phase as it ends, until the recovery does, and what it asks unless that `isAnswered`. With --json a line per
 * change. 0 only for `done`.
 */
export async function followRecovery(
  context: Context,
  recovery: string,
  isAnswered = false,
): Promise<ExitCode> {
  const { client, io, json } = context;
  let shown = 0;
  let lastState = '';
  let asked = '';
  const givenUpMs = context.clock.monotonicMs() + BEGUN_WITHIN_MS;
  for (;;) {
    const report = await client.call('getRecovery', { params: { recovery } }).catch((error: unknown) => {
      const missing = error instanceof ApiProblem && error.code === 'not-found';
      if (missing && lastState === '' && context.clock.monotonicMs() < givenUpMs) return undefined;
      throw error;
    });
    if (report === undefined) {
      await sleep(WATCH_EVERY_MS, undefined, { signal: io.interrupted });
      continue;
    }
    const state = `${report.status} ${report.nextPhase ?? ''}`;
    const changed = state !== lastState || report.phases.length > shown;
    if (changed && json) io.out(`${JSON.stringify(report)}\n`);
    if (changed && !json) showProgress(context, report, shown);
    const asks = json || isAnswered ? '' : askLines(report, context.paint).join('\n');
    if (asks !== '' && asks !== asked) io.out(`${asks}\n`);
    asked = asks;
    shown = report.phases.length;
    lastState = state;
    if (!UNFINISHED.has(report.status)) {
      if (!json) io.out(`\n${renderRecovery(report, context.paint)}\n`);
      return report.status === 'done' ? EXIT.done : EXIT.failed;
    }
    await sleep(WATCH_EVERY_MS, undefined, { signal: io.interrupted });
  }
}

function showProgress({ io, paint }: Context, report: Report, shown: number): void {
  for (const { name, ms, waitedMs } of report.phases.slice(shown)) {
    const waited = waitedMs > 0 ? `, waited ${duration(waitedMs)}` : '';
    io.out(`${name}  ${duration(ms)}${waited}\n`);
  }
  if (!UNFINISHED.has(report.status)) return;
  const next = report.nextPhase === undefined ? '' : `, next is ${report.nextPhase}`;
  io.out(`${paint('dim', `${report.status}${next}`)}\n`);
}
