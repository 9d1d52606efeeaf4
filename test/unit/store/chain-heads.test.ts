import { expect, test } from '@jest/globals';
import { entityOf } from '../../../lib/audit/event.ts';
import { chainHeadOf } from '../../../lib/store/chain-heads.ts';
import { type Key, keys } from '../../../lib/store/keys.ts';

/** Where the item of an entity lies; a restore has events and no item. */
const ITEMS: Readonly<Record<Exclude<keyof typeof entityOf, 'restore'>, readonly [string, Key]>> = {
  labscape: [entityOf.labscape('lab'), keys.labscape('lab')],
  resource: [entityOf.resource('r-1'), keys.resource('lab', 'r-1')],
  tenant: [entityOf.tenant('t'), keys.tenant('t')],
  principal: [entityOf.principal('p'), keys.principal('p')],
  recovery: [entityOf.recovery('r-1-2-1'), keys.recovery('r-1-2-1')],
  plan: [entityOf.plan('plan'), keys.plan('plan')],
  backup: [entityOf.backup('b'), keys.backup('b')],
  incident: [entityOf.incident('i'), keys.incident('i')],
  override: [entityOf.override('lab', 'o'), keys.override('lab', 'o')],
  allocation: [entityOf.allocation('t', 'a'), keys.allocation('t', 'a')],
};

const chain = { rev: { N: '7' }, head: { S: 'a'.repeat(64) } };

test.each(Object.entries(ITEMS))('an item of a %s names the entity of its chain', (_, [entity, key]) => {
  expect(chainHeadOf({ ...key, ...chain })).toEqual({ entity, rev: 7, head: 'a'.repeat(64) });
  expect(chainHeadOf(key)).toBeUndefined();
});

test('what has a revision of its own and no chain names none', () => {
  expect(chainHeadOf({ ...keys.board(), ...chain })).toBeUndefined();
  expect(chainHeadOf({ ...keys.resource('lab', 'r-1'), rev: { N: '7' } })).toBeUndefined();
});
