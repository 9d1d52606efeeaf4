import * as z from 'zod';
import { DIMENSIONS } from '../../schemas/common.ts';
import type { Explanation } from '../../schemas/explanation.ts';
import { defineCommand, EXIT } from '../command.ts';
import { counted, demand } from '../format.ts';
import { WISH_FLAGS, WISH_USAGE, wishOf } from './wish.ts';

type Change = Explanation['changes'][number];
type Place = NonNullable<Explanation['choice']>;

/** Tenants are told the labscape alone. */
const place = ({ resource, labscape }: Pick<Place, 'resource' | 'labscape'>): string =>
  resource === undefined ? labscape : `${resource} in ${labscape}`;

const at = (one: Place): string =>
  `${place(one)}${one.figure === undefined ? '' : ` (${one.figure.toFixed(3)})`}`;

/** One change of the request, and what would then take it. */
export function changeLine({ resource, labscape, less, drop, devices }: Change): string {
  const amount = Object.fromEntries(DIMENSIONS.map((d) => [d, less[d] ?? 0])) as Parameters<typeof demand>[0];
  const parts = [
    ...(Object.keys(less).length === 0 ? [] : [`ask for ${demand(amount)} less`]),
    ...(devices === undefined
      ? []
      : [`ask for ${counted(devices.count, 'device')} of ${devices.milli}/1000`]),
    ...drop.map((name) => `drop ${name}`),
  ];
  return `to fit ${resource === undefined ? `in ${labscape}` : `on ${resource}`}: ${parts.join(' and ')}`;
}

function explanationLines(explanation: Explanation): string[] {
  const { outcome, strategy, choice, runnersUp, resources, reasons, changes, preemption } = explanation;
  const head = {
    fits: `fits now, by ${strategy}: ${choice === undefined ? '' : at(choice)}`,
    'no-room': `fits nowhere: ${counted(resources, 'resource')} looked at`,
    'over-quota': `is over the tenant's quota: ${demand(explanation.quotaLeft) || 'nothing'} is left of it`,
  }[outcome];
  return [
    head,
    ...runnersUp.map((other) => `  next: ${at(other)}`),
    ...Object.entries(reasons).map(([reason, count]) => `  ${reason}: ${count}`),
    ...changes.map((one) => `  ${changeLine(one)}`),
    ...(preemption === undefined
      ? []
      : [
          `  as ${preemption.class} with --preempt it would take the place of ${counted(preemption.groups, 'group')} ${preemption.resource === undefined ? 'in' : 'on'} ${preemption.resource ?? preemption.labscape}`,
        ]),
  ];
}

export const explain = defineCommand({
  name: 'explain',
  usage: WISH_USAGE,
  summary: 'where a demand would go and why, or why nowhere; changes nothing',
  flags: z.strictObject(WISH_FLAGS),
  run: async (context, { flags }) => {
    const body = await context.client.call('explainAllocation', { body: wishOf(flags, []) });
    context.show(body, () => explanationLines(body).join('\n'));
    return EXIT.done;
  },
});
