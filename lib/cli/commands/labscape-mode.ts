import * as z from 'zod';
import { type LabscapePatch, MODES } from '../../schemas/labscape.ts';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';

/** Changes a labscape as it stands now: somebody else's change in between is not written over. */
async function edit(context: Context, labscape: string, patch: z.input<typeof LabscapePatch>) {
  const params = { labscape };
  const { body: before, etag = '' } = await context.client.exchange('getLabscape', { params });
  const headers = { 'if-match': etag };
  const after = await context.client.call('editLabscape', { params, headers, body: patch });
  return { before, after };
}

const reason = flag.text;

export const mode = defineCommand({
  name: 'mode',
  usage: `LABSCAPE ${MODES.join('|')} --reason WHY`,
  summary: 'how recoveries may start in a labscape: not at all, said only, asked for, or done',
  positionals: { min: 2, max: 2 },
  flags: z.strictObject({ reason }),
  run: async (context, invocation) => {
    const labscape = positional(invocation, 0);
    const asked = positional(invocation, 1);
    const to = MODES.find((one) => one === asked);
    if (to === undefined) throw new UsageError(`the mode must be one of ${MODES.join(', ')}`);
    const { before, after } = await edit(context, labscape, {
      policy: { mode: to },
      reason: invocation.flags.reason,
    });
    context.show(after, () => {
      const still = after.maintenance ? '; it is in maintenance, so that nothing recovers by itself' : '';
      return `${after.id}: ${before.policy.mode} → ${after.policy.mode}${still}`;
    });
    return EXIT.done;
  },
});

export const maintenance = defineCommand({
  name: 'maintenance',
  usage: 'LABSCAPE on|off --reason WHY',
  summary: 'while it is on, nothing in the labscape recovers by itself',
  positionals: { min: 2, max: 2 },
  flags: z.strictObject({ reason }),
  run: async (context, invocation) => {
    const labscape = positional(invocation, 0);
    const asked = positional(invocation, 1);
    if (asked !== 'on' && asked !== 'off') throw new UsageError('maintenance is on or off');
    const { after } = await edit(context, labscape, {
      maintenance: asked === 'on',
      reason: invocation.flags.reason,
    });
    context.show(after, () =>
      after.maintenance
        ? `${after.id} is in maintenance: nothing recovers by itself there`
        : `${after.id} is out of maintenance, mode ${after.policy.mode}`,
    );
    return EXIT.done;
  },
});
