import * as z from 'zod';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';
import { followRecovery } from './recovery-watch.ts';

const why = { reason: flag.text };
const watched = { ...why, watch: flag.on.optional() };

/** The hash of what it asks to do. */
async function quoteShown({ client }: Context, params: { recovery: string }): Promise<string> {
  const { id, status, waiting } = await client.call('getRecovery', { params });
  if (waiting?.quote === undefined) throw new UsageError(`recovery ${id} is ${status} and asks for nothing`);
  return waiting.quote.hash;
}

export const approve = defineCommand({
  name: 'approve',
  usage: 'RECOVERY --reason WHY [--quote HASH] [--watch]',
  summary: 'let a recovery that asks go on, as its quote says; without --quote that which it shows now',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({ ...watched, quote: flag.text.optional() }),
  run: async (context, invocation) => {
    const { reason, watch, quote } = invocation.flags;
    const params = { recovery: positional(invocation, 0) };
    const shown = quote ?? (await quoteShown(context, params));
    const body = { decision: 'approve', reason, quote: shown } as const;
    const approved = await context.client.call('approveRecovery', { params, body });
    if (watch) return followRecovery(context, params.recovery, true);
    context.show(approved, () => `recovery ${approved.id} is approved, as quote ${shown}`);
    return EXIT.done;
  },
});

export const reject = defineCommand({
  name: 'reject',
  usage: 'RECOVERY --reason WHY',
  summary: 'end a recovery that asks; the work stays where it is',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject(why),
  run: async (context, invocation) => {
    const params = { recovery: positional(invocation, 0) };
    const body = { decision: 'reject', reason: invocation.flags.reason } as const;
    const rejected = await context.client.call('approveRecovery', { params, body });
    context.show(rejected, () => `recovery ${rejected.id} is rejected`);
    return EXIT.done;
  },
});

/** cancel and resume say one word to a recovery, which can be followed at once. */
function teller(name: 'cancel' | 'resume', operation: 'cancelRecovery' | 'resumeRecovery', summary: string) {
  return defineCommand({
    name,
    summary,
    usage: 'RECOVERY --reason WHY [--watch]',
    positionals: { min: 1, max: 1 },
    flags: z.strictObject(watched),
    run: async (context, invocation) => {
      const { reason, watch } = invocation.flags;
      const params = { recovery: positional(invocation, 0) };
      const report = await context.client.call(operation, { params, body: { reason } });
      if (watch) return followRecovery(context, params.recovery);
      context.show(report, () =>
        report.cancel === undefined
          ? `recovery ${report.id} is ${report.status}: ${report.reason}`
          : `recovery ${report.id} is being called off by ${report.cancel}`,
      );
      return EXIT.done;
    },
  });
}

export const cancel = teller(
  'cancel',
  'cancelRecovery',
  'call a recovery off that has not moved anything yet',
);
export const resume = teller('resume', 'resumeRecovery', 'let a parked recovery go on where it stopped');

export const acknowledge = defineCommand({
  name: 'acknowledge',
  usage: 'RESOURCE --reason WHY | --labscape L --reason WHY',
  summary: 'its recoveries were looked at: ends the cool-down, re-arms the breaker',
  positionals: { min: 0, max: 1 },
  flags: z.strictObject({ ...why, labscape: flag.text.optional() }),
  run: async (context, invocation) => {
    const { reason, labscape } = invocation.flags;
    if ((labscape === undefined) === (invocation.positionals.length === 0))
      throw new UsageError('name a resource, or a labscape with --labscape');
    const body = { reason };
    if (labscape !== undefined) {
      const answer = await context.client.call('acknowledgeLabscape', { params: { labscape }, body });
      const names = answer.resources.join(', ');
      context.show(answer, () => (names === '' ? 'there is nothing to forget' : `acknowledged: ${names}`));
      return EXIT.done;
    }
    const params = { resource: positional(invocation, 0) };
    const resource = await context.client.call('acknowledgeResource', { params, body });
    context.show(resource, () => `${resource.id} is ${resource.status}, and nothing damps it`);
    return EXIT.done;
  },
});
