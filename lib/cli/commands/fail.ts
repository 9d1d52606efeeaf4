import * as z from 'zod';
import type { FailedTogether, RecoveryStarted } from '../../schemas/recovery.ts';
import {
  type Context,
  defineCommand,
  EXIT,
  type ExitCode,
  flag,
  positional,
  UsageError,
} from '../command.ts';
import { counted } from '../format.ts';
import { followRecovery } from './recovery-watch.ts';

const why = { reason: flag.text, watch: flag.on.optional() };

type Started = z.output<typeof RecoveryStarted>;

/** The recovery of one resource has started: follows it, or says how. */
function showStarted(
  context: Context,
  started: Started,
  watch: boolean | undefined,
): Promise<ExitCode> | ExitCode {
  if (watch) return followRecovery(context, started.recovery);
  context.show(
    started,
    () =>
      `recovery ${started.recovery} of ${started.resource} has started; follow it with\n  labscape recoveries ${started.recovery} --watch`,
  );
  return EXIT.done;
}

/** One call after the other until nothing is left; what each of them started or found running. */
async function failAll(
  { client }: Context,
  [labscape = '', ...besides]: readonly string[],
  resources: readonly string[],
  reason: string,
): Promise<FailedTogether> {
  const body = {
    ...{ reason, ...(resources.length > 0 && { resources: [...resources] }) },
    ...(besides.length > 0 && { besides }),
  };
  const recoveries = new Map<string, Started>();
  for (;;) {
    const answer = await client.call('failTogether', { params: { labscape }, body });
    const before = recoveries.size;
    for (const one of answer.recoveries) recoveries.set(one.recovery, one);
    const adopted = answer.adopted.filter(({ recovery }) => !recoveries.has(recovery));
    if (answer.left === 0 || recoveries.size === before)
      return { ...answer, recoveries: [...recoveries.values()], adopted };
  }
}

function renderFailed({ joint, recoveries, adopted, skipped, left }: FailedTogether): string {
  const plan = joint === undefined ? '' : `, by joint plan ${joint}`;
  return [
    `${counted(recoveries.length, 'recovery has', 'recoveries have')} started${plan}; ${adopted.length} ran already`,
    ...recoveries.map(({ recovery }) => `  ${recovery}`),
    ...adopted.map(({ recovery }) => `  ${recovery} ran already`),
    ...skipped.map(({ resource, why: reason }) => `  ${resource}: nothing was done, it ${reason}`),
    ...(left === 0 ? [] : [`${counted(left, 'resource is', 'resources are')} left: say it again`]),
  ].join('\n');
}

export const fail = defineCommand({
  name: 'fail',
  usage: 'RESOURCE --reason WHY [--watch] | --labscape L[,L…] [RESOURCE…] --reason WHY [--watch]',
  summary: 'declare a resource failed and recover it, or whole labscapes, or several resources of them',
  positionals: { min: 0, max: 1_000 },
  flags: z.strictObject({ ...why, labscape: flag.list.optional() }),
  run: async (context, invocation) => {
    const { reason, watch, labscape } = invocation.flags;
    const { positionals } = invocation;
    if (labscape === undefined) {
      if (positionals.length !== 1)
        throw new UsageError('name one resource, or a labscape with --labscape and any of its resources');
      const params = { resource: positional(invocation, 0) };
      const started = await context.client.call('failResource', { params, body: { reason } });
      return showStarted(context, started, watch);
    }
    const failed = await failAll(context, labscape, positionals, reason);
    context.show(failed, () => renderFailed(failed));
    if (!watch) return failed.left === 0 ? EXIT.done : EXIT.failed;
    let worst: ExitCode = EXIT.done;
    for (const { recovery } of [...failed.recoveries, ...failed.adopted])
      if ((await followRecovery(context, recovery)) !== EXIT.done) worst = EXIT.failed;
    return worst;
  },
});

export const drain = defineCommand({
  name: 'drain',
  usage: 'RESOURCE --reason WHY [--grace TIME] [--watch]',
  summary: 'move everything away from a resource and keep it empty; with --grace first while it still runs',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({ ...why, grace: flag.span.optional() }),
  run: async (context, invocation) => {
    const { reason, watch, grace } = invocation.flags;
    const params = { resource: positional(invocation, 0) };
    const body = { reason, ...(grace !== undefined && { graceMs: grace }) };
    return showStarted(context, await context.client.call('drainResource', { params, body }), watch);
  },
});
