import { expect, test } from '@jest/globals';
import type { Pulse } from '../../../lib/health/detector.ts';
import { BATCH_RESOURCES_MAX } from '../../../lib/schemas/heartbeat.ts';
import { type BeatRecord, decodeBeats, writeBeats } from '../../../lib/store/fleet/heartbeats.ts';
import { packPulse } from '../../../lib/store/fleet/pulse-text.ts';
import type { Store } from '../../../lib/store/store.ts';
import { type Item, N, S } from '../../../lib/store/table/attributes.ts';
import type { UpdateInput } from '../../../lib/store/table/write.ts';

const NOW = 1_795_132_800_000;

const pulseOf = (pace: Pulse['pace'], lastAt = NOW): Pulse => ({
  ...{ lastAt, meanMs: 1_000, deviationMs: 250, status: 'ok', epoch: 12 },
  ...{ leaseEndMs: 3_250, pace },
});
const plain = (lastAt = NOW): Pulse => {
  const { pace: _pace, ...pulse } = pulseOf(undefined, lastAt);
  return pulse;
};

interface Sent {
  readonly item: Item;
  readonly condition: string;
}

/** The item as the update writes it over another, without sending that anywhere. */
const written = async (
  over: Item,
  agent: string,
  pulses: ReadonlyMap<string, Pulse>,
  packed = true,
): Promise<Sent> => {
  let sent: UpdateInput | undefined;
  const store = {
    tables: { state: 'state', audit: 'audit' },
    update: async (input: UpdateInput) => {
      sent = input;
      return { kind: 'refused', item: undefined };
    },
  } as unknown as Store;
  const before = decodeBeats('north', over);
  const seq = (before.kept.seqs.get(agent) ?? NOW) + 1;
  const batch = { agent, seq, pulses, unreachable: undefined, probed: undefined };
  await writeBeats(store, before, batch, { heardAt: NOW }, packed);
  const { ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {} } = sent ?? {};
  const [, sets = '', removed = ''] =
    /^SET (.*?)(?: REMOVE (.*))?$/.exec(sent?.UpdateExpression ?? '')?.map((part) => part ?? '') ?? [];
  const item: Item = { ...over };
  for (const part of sets.split(', ')) {
    const [name = '', value = ''] = part.split(' = ');
    const stored = values[value];
    if (stored !== undefined) item[names[name] ?? name] = stored;
  }
  for (const name of removed.split(', ')) delete item[names[name] ?? name];
  const condition = (sent?.ConditionExpression ?? '').replaceAll(/#\d+/g, (name) => names[name] ?? name);
  return { item, condition: condition.replaceAll(/:\d+/g, (value) => values[value]?.N ?? value) };
};

const recordOf = ({ item }: Sent): BeatRecord => decodeBeats('north', item);
const OLD: Item = {
  v: N(1),
  a_one: N(5),
  r_a: S(packPulse(plain(NOW - 1_000))),
  r_b: S(packPulse(plain(NOW - 2_000))),
};

test('a pulse is read as it was written, with and without a pace', async () => {
  const pulses = new Map([
    ['paced', pulseOf({ meanMs: 12.34, factor: 0.841 })],
    ['plain', plain()],
    ['silent', pulseOf({ meanMs: undefined, factor: 2.25 })],
  ]);
  for (const packed of [true, false]) {
    const read = recordOf(await written({}, 'agent', pulses, packed)).pulses;
    expect(new Map(read)).toEqual(pulses);
  }
});

test('a full batch with a pace for each resource stays below 2 KB', async () => {
  const ids = Array.from({ length: BATCH_RESOURCES_MAX }, (_, i) => `north-${i + 1}`);
  const pulses = new Map(ids.map((id) => [id, pulseOf({ meanMs: 123.4, factor: 0.841 })]));
  const { item } = await written({}, 'agent', pulses);
  const bytes = Object.entries(item).reduce(
    (sum, [name, { S: text = '', N: number = '', B: block = [] }]) =>
      sum + name.length + text.length + number.length + block.length,
    0,
  );
  expect(recordOf({ item, condition: '' }).pulses.size).toBe(BATCH_RESOURCES_MAX);
  expect(bytes).toBeLessThan(2_048);
});

test('what is still text is read, and a batch packs its own resources and leaves the others', async () => {
  expect([...decodeBeats('north', OLD).pulses]).toEqual([
    ['a', plain(NOW - 1_000)],
    ['b', plain(NOW - 2_000)],
  ]);
  const after = await written(OLD, 'one', new Map([['a', plain()]]));
  expect(after.item).toMatchObject({ v: N(2), r_b: OLD['r_b'], a_one: N(6) });
  expect(after.item).not.toHaveProperty('r_a');
  const { pulses } = recordOf(after);
  expect([pulses.get('a'), pulses.get('b')]).toEqual([plain(), plain(NOW - 2_000)]);
  expect(after.condition).toBe('a_one = 5 AND attribute_exists(pk)');
});

test('a batch keeps what its agent said of resources that it does not name', async () => {
  const first = await written({}, 'one', new Map([['a', plain(NOW - 9_000)]]));
  const second = recordOf(await written(first.item, 'one', new Map([['b', plain()]])));
  expect([...second.pulses]).toEqual([
    ['a', plain(NOW - 9_000)],
    ['b', plain()],
  ]);
});

test('a resource that another agent speaks for from now on leaves the block of the one before, unless that has changed', async () => {
  const both = new Map([
    ['a', plain(NOW + 5_000)],
    ['b', plain(NOW + 5_000)],
  ]);
  const one = await written({}, 'one', both);
  // The clock was set back meanwhile: what was said last counts, whatever its time.
  const two = await written(one.item, 'two', new Map([['a', plain()]]));
  expect(two.condition).toBe(`attribute_not_exists(a_two) AND a_one = ${NOW + 1} AND attribute_exists(pk)`);
  const record = recordOf(two);
  expect(record.pulses.get('a')).toEqual(plain());
  expect([...(record.kept.blocks.get('one') ?? [])].map(([id]) => id)).toEqual(['b']);
  const three = await written(two.item, 'two', new Map([['b', plain()]]));
  expect(three.item).not.toHaveProperty('b_one');
  expect([...recordOf(three).pulses.values()]).toEqual([plain(), plain()]);
});

test('a resource that stands in two places counts as heard later, and the next batch takes it out of one', async () => {
  const one = await written({}, 'one', new Map([['a', plain(NOW - 4_000)]]));
  const two = await written({}, 'two', new Map([['a', plain(NOW - 3_000)]]));
  for (const item of [
    { ...one.item, ...two.item },
    { ...two.item, ...one.item },
  ])
    expect(decodeBeats('north', item).pulses.get('a')).toEqual(plain(NOW - 3_000));
  const after = recordOf(await written({ ...one.item, ...two.item }, 'one', new Map([['a', plain()]])));
  expect([...after.kept.blocks.keys()]).toEqual(['one']);
});

test('for a rollout, or before one back, an agent writes all that it knows as code of version 1 reads it', async () => {
  const one = await written(OLD, 'one', new Map([['a', plain()]]));
  const two = await written(one.item, 'two', new Map([['c', plain()]]));
  const half = await written(two.item, 'one', new Map([['b', plain()]]), false);
  expect(half.item).toMatchObject({ v: N(2), r_a: S(packPulse(plain())), r_b: S(packPulse(plain())) });
  const whole = await written(half.item, 'two', new Map([['c', plain()]]), false);
  expect(whole.item['v']).toEqual(N(1));
  expect(Object.keys(whole.item).filter((name) => name.startsWith('b_'))).toEqual([]);
  expect(new Set(recordOf(whole).pulses.keys())).toEqual(new Set(['a', 'b', 'c']));
});

test('a number that is not greater than the last is a replay, and nothing is sent', async () => {
  const store = { tables: { state: 'state', audit: 'audit' } } as unknown as Store;
  const batch = { agent: 'one', pulses: new Map(), unreachable: undefined, probed: undefined };
  for (const seq of [4, 5])
    expect(await writeBeats(store, decodeBeats('north', OLD), { ...batch, seq }, { heardAt: NOW })).toEqual({
      kind: 'replayed',
      last: 5,
    });
});
