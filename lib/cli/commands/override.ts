import * as z from 'zod';
import type { Override } from '../../schemas/override.ts';
import { OVERRIDABLE_RULES } from '../../schemas/rule.ts';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';
import { duration, instant } from '../format.ts';
import { table } from '../table.ts';

type Shown = z.output<typeof Override>;

function render(all: readonly Shown[], { paint }: Context): string {
  if (all.length === 0) return 'No rule was ever set aside here.';
  const rows = all.map((one) => [
    ...[one.id, one.rule, one.resource ?? 'all', one.counts ? paint('yellow', 'counts') : one.status],
    ...[one.proposedBy, one.confirmedBy ?? '-'],
    ...[one.expiresAt === undefined ? duration(one.expiresInMs) : instant(one.expiresAt), one.reason],
  ]);
  const titles = ['ID', 'RULE', 'RESOURCE', 'STATUS', 'PROPOSED BY', 'CONFIRMED BY', 'EXPIRES', 'WHY'];
  return table(
    titles.map((title) => ({ title })),
    rows,
    (text) => paint('dim', text),
  );
}

export const override = defineCommand({
  name: 'override',
  usage:
    'LABSCAPE [--rule R --reason WHY [--resource X] [--for 1h] | --confirm ID --reason WHY | --withdraw ID --reason WHY]',
  summary: 'set a safety rule aside for a while: one proposes, another confirms; alone it lists them',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({
    rule: flag.oneOf(OVERRIDABLE_RULES).optional(),
    resource: flag.text.optional(),
    for: flag.span.optional(),
    confirm: flag.text.optional(),
    withdraw: flag.text.optional(),
    reason: flag.text.optional(),
  }),
  run: async (context, invocation) => {
    const { rule, resource, confirm, withdraw, reason, for: spanMs } = invocation.flags;
    const labscape = positional(invocation, 0);
    const { client } = context;
    const wishes = [rule, confirm, withdraw].filter((wish) => wish !== undefined);
    if (wishes.length > 1) throw new UsageError('--rule, --confirm and --withdraw are three commands');
    if (wishes.length === 0) {
      const { items } = await client.call('listOverrides', { params: { labscape } });
      context.show(items, () => render(items, context));
      return EXIT.done;
    }
    if (reason === undefined) throw new UsageError('--reason is missing');
    const after = await (async () => {
      if (rule !== undefined) {
        const body = {
          ...{ rule, reason },
          ...(resource !== undefined && { resource }),
          ...(spanMs !== undefined && { expiresInMs: spanMs }),
        };
        return client.call('proposeOverride', { params: { labscape }, body });
      }
      const params = { labscape, override: confirm ?? withdraw ?? '' };
      return client.call(confirm === undefined ? 'withdrawOverride' : 'confirmOverride', {
        params,
        body: { reason },
      });
    })();
    context.show(after, () =>
      after.status === 'proposed'
        ? `override ${after.id} waits for somebody else: labscape override ${labscape} --confirm ${after.id} --reason WHY`
        : `override ${after.id} of ${after.rule} is ${after.status}`,
    );
    return EXIT.done;
  },
});
