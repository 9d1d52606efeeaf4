import { gunzipSync, gzipSync } from 'node:zlib';
import { Capsule } from '../../../lib/schemas/capsule.ts';
import { editing } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

const Part = Capsule.pick({ steps: true, missing: true });

/** The part with every resource as full as it may be. */
const withFullFleet = (data: string): string => {
  const part = Part.parse(JSON.parse(gunzipSync(Buffer.from(data, 'base64')).toString('utf8')));
  for (const step of part.steps)
    if (step.phase === 'Failover') for (const resource of step.resources) resource[5] = [...resource[4]];
  return gzipSync(JSON.stringify(part)).toString('base64');
};

/** What was decided, and what is kept of it. */
export const CAPSULE_MUTATIONS: readonly Mutation[] = [
  {
    // As if the capsule held the fleet as it became, and not as the plan saw it.
    name: 'capsule of another fleet',
    invariant: 16,
    faultFactor: 1,
    mutate: () => ({
      request: editing(({ puts }) => {
        for (const { Item } of puts) {
          const data = Item?.['data'];
          if (Item?.['pk']?.S?.startsWith('CAP#') && data?.B !== undefined)
            Object.assign(data, { B: withFullFleet(String(data.B)) });
        }
      }),
    }),
  },
];
