import { expect, test } from '@jest/globals';
import type { Pulse } from '../../../lib/health/detector.ts';
import { BATCH_RESOURCES_MAX } from '../../../lib/schemas/heartbeat.ts';
import { decodeBeats, writeBeats } from '../../../lib/store/fleet/heartbeats.ts';
import type { Store } from '../../../lib/store/store.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import type { UpdateInput } from '../../../lib/store/table/write.ts';

const NOW = 1_795_132_800_000;

const pulseOf = (pace: Pulse['pace']): Pulse => ({
  ...{ lastAt: NOW, meanMs: 1_000, deviationMs: 250, status: 'ok', epoch: 12 },
  ...{ leaseEndMs: 3_250, pace },
});

/** The item as the update writes it, without sending that anywhere. */
const itemOf = async (pulses: ReadonlyMap<string, Pulse>): Promise<Item> => {
  let sent: UpdateInput | undefined;
  const store = {
    tables: { state: 'state', audit: 'audit' },
    update: async (input: UpdateInput) => {
      sent = input;
      return { kind: 'refused', item: undefined };
    },
  } as unknown as Store;
  await writeBeats(
    store,
    'north',
    { agent: 'agent', seq: NOW, pulses, unreachable: undefined, probed: undefined },
    { heardAt: NOW },
  );
  const { ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {} } = sent ?? {};
  const sets = (sent?.UpdateExpression ?? '').replace(/^SET /, '').split(', ');
  return Object.fromEntries(
    sets.flatMap((part) => {
      const [name = '', value = ''] = part.split(' = ');
      const stored = values[value];
      return stored === undefined ? [] : [[names[name] ?? name, stored]];
    }),
  );
};

test('a pulse is read as it was written, with and without a pace', async () => {
  const pulses = new Map([
    ['plain', { ...pulseOf(undefined) }],
    ['paced', pulseOf({ meanMs: 12.34, factor: 0.841 })],
    ['silent', pulseOf({ meanMs: undefined, factor: 2.25 })],
  ]);
  const read = decodeBeats('north', await itemOf(pulses)).pulses;
  expect([...read]).toEqual([...pulses]);
});

test('a full batch with a pace for each resource stays below 8 KB', async () => {
  const ids = Array.from({ length: BATCH_RESOURCES_MAX }, (_, i) => `north-${i + 1}`);
  const pulses = new Map(ids.map((id) => [id, pulseOf({ meanMs: 123.4, factor: 0.841 })]));
  const item = await itemOf(pulses);
  const bytes = Object.entries(item).reduce(
    (sum, [name, { S = '', N = '' }]) => sum + name.length + S.length + N.length,
    0,
  );
  expect(Object.keys(item).length).toBeGreaterThan(BATCH_RESOURCES_MAX);
  expect(bytes).toBeLessThan(8_192);
});
