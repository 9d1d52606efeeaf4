import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EMPTY_CHAIN, nextEvent } from '../../lib/audit/event.ts';
import { MOVING_EVENTS, STATUS_EVENTS } from '../../lib/audit/fold-events.ts';
import { cloudEventsOf } from '../../lib/protocol/cloud-events.ts';
import { CloudEvent } from '../../lib/schemas/cloud-event.ts';
import { RECOVERY_STATUSES } from '../../lib/schemas/recovery.ts';
import { RUNS } from './arbitraries.ts';

const LIB = resolve(import.meta.dirname, '../../lib');
const NAMED = /'((?:resource|recovery|allocation|labscape|tenant|principal|override)\.[a-z]+(?:-[a-z]+)*)'/g;

/** Every type that the sources name, and those that they put together of a status. */
const TYPES = [
  ...new Set([
    ...globSync('**/*.ts', { cwd: LIB }).flatMap((file) =>
      [...readFileSync(join(LIB, file), 'utf8').matchAll(NAMED)].map((match) => match[1] ?? ''),
    ),
    ...STATUS_EVENTS,
    ...RECOVERY_STATUSES.map((status) => `recovery.${status}`),
  ]),
].sort();

const id = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
const entityOf = (kind: string): fc.Arbitrary<string> =>
  kind === 'allocation' || kind === 'override'
    ? fc.tuple(id, id).map(([first, second]) => `${kind}#${first}#${second}`)
    : id.map((one) => `${kind}#${one}`);
const epoch = fc.integer({ min: 2, max: 99 });
const moves = fc.record({
  moves: fc.array(fc.record({ group: id, from: fc.option(id), to: id, epoch }), { maxLength: 48 }),
  pending: fc.array(fc.record({ group: id, epoch, reason: fc.string() }), { maxLength: 5 }),
});
const other = fc.dictionary(fc.string(), fc.jsonValue());
const place = fc.record({ at: fc.integer({ min: 0, max: 9_999_999_999_999 }), rev: fc.nat(1_000_000) });

test('the sources name the types of events', () => {
  expect(TYPES.length).toBeGreaterThan(30);
  expect(TYPES).toEqual(expect.arrayContaining([...MOVING_EVENTS, 'recovery.done', 'allocation.placed']));
});

test.each(TYPES)(
  '%s is valid as CloudEvents, one for itself and one for each move, and no two are one',
  (type) => {
    const body = MOVING_EVENTS.has(type) ? moves : other;
    fc.assert(
      fc.property(entityOf(type.split('.')[0] ?? ''), body, place, (entity, said, { at, rev }) => {
        const origin = { actor: 'somebody', request: 'request', at };
        const event = nextEvent(entity, { ...EMPTY_CHAIN, rev }, origin, type, said);

        const given = cloudEventsOf(event, 'cursor');

        for (const one of given) expect(CloudEvent.parse(JSON.parse(JSON.stringify(one)))).toEqual(one);
        expect(new Set(given.map(({ source, id: own }) => `${source} ${own}`)).size).toBe(given.length);
        expect(Date.parse(given[0]?.time ?? '')).toBe(at);
        const moved = 'moves' in said && MOVING_EVENTS.has(type) ? said : { moves: [], pending: [] };
        const count = (name: string) =>
          given.filter((one) => one.type === `labscape.group.${name}.v1`).length;
        expect([given.length, count('moved'), count('waiting')]).toEqual([
          1 + [moved.moves, moved.pending].flat().length,
          ...[moved.moves, moved.pending].map((list) => [list].flat().length),
        ]);
      }),
      { ...RUNS, numRuns: 30 },
    );
  },
);
