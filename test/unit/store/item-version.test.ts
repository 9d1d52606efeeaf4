import { describe, expect, test } from '@jest/globals';
import { decodePrincipal, encodePrincipal } from '../../../lib/store/access/principals.ts';
import { decodeSlice, decodeTenant, encodeSlice, encodeTenant } from '../../../lib/store/access/tenants.ts';
import { BEAT_VERSION } from '../../../lib/store/fleet/beat-pulses.ts';
import { decodeBeats, newBeatItem } from '../../../lib/store/fleet/heartbeats.ts';
import { decodeLabscape } from '../../../lib/store/fleet/labscapes.ts';
import { decodeResource, encodeResource, type ResourceRecord } from '../../../lib/store/fleet/resources.ts';
import { decodeAllocation } from '../../../lib/store/placement/allocations.ts';
import { decodeGroup, encodeGroup, type GroupRecord } from '../../../lib/store/placement/groups.ts';
import {
  decodeRecovery,
  encodeRecovery,
  type RecoveryRecord,
} from '../../../lib/store/recovery/recoveries.ts';
import { CorruptItem, ITEM_VERSION, type Item, N, versioned } from '../../../lib/store/table/attributes.ts';
import { ZERO } from '../../../lib/vector.ts';

const chain = { rev: 1, head: 'head' };
const RESOURCE: ResourceRecord = {
  ...{ id: 'north-1', labscape: 'north', status: 'healthy', since: 5, statusReason: 'registered' },
  ...{ capacity: ZERO, limit: ZERO, fill: ZERO, used: ZERO, labels: {}, epoch: 1, cfg: 1, chain, groups: [] },
  ...{ assignmentRevision: 1, recovery: undefined, attempt: 1, lastRecoveryEndedAt: undefined, flaps: 0 },
  ...{ failedBy: undefined, retryAt: undefined, acknowledgedEpoch: 0, moving: false },
};
const GROUP: GroupRecord = {
  ...{ id: 'g', resource: 'north-1', labscape: 'north', epoch: 1, status: 'placed', class: 'normal' },
  ...{ kind: 'n.x', constraints: {}, demand: ZERO, count: 1, load: 1, recovery: undefined, runningEpoch: 0 },
  ...{ runningCount: 0, heldUntil: undefined, heldBy: undefined, reason: undefined, since: 5 },
};
const WISH = { strategy: 'consistent-hashing', hashKey: 'session-7' } as const;
const WISHING: GroupRecord = { ...GROUP, ...WISH };
const OF_DEVICES: GroupRecord = { ...GROUP, devices: { count: 1, milli: 300 } };
const RECOVERY: RecoveryRecord = {
  ...{ id: 'north-1-1-1', resource: 'north-1', labscape: 'north', trigger: 'api', status: 'running' },
  ...{ reason: 'api', nextPhase: 'RecoverData', attempt: 1, epoch: 2, startedAt: 5, endedAt: undefined },
  ...{ silentSince: undefined, verdictAt: undefined, phases: [], moves: [], pending: [] },
  ...{ demand: ZERO, rehomed: ZERO, waiting: undefined, chain },
};
const TENANT = { id: 'acme', quota: ZERO, weight: 1, slices: 1, cfg: 1, chain };
const PRINCIPAL = { id: 'eve', status: 'active', reason: 'ok', changedAt: 5, keys: [], chain } as const;

/** What each kind writes, who reads it, and up to which version. */
const KINDS: readonly (readonly [string, Item, (item: Item) => unknown, unknown, known?: number])[] = [
  ['resource', encodeResource(RESOURCE), decodeResource, RESOURCE],
  ['group', encodeGroup(GROUP), decodeGroup, GROUP],
  ['group that wishes', encodeGroup(WISHING), decodeGroup, WISHING],
  ['group of devices', encodeGroup(OF_DEVICES), decodeGroup, OF_DEVICES],
  [
    'group of devices that wishes',
    encodeGroup({ ...OF_DEVICES, ...WISH }),
    decodeGroup,
    { ...OF_DEVICES, ...WISH },
  ],
  ['recovery', encodeRecovery(RECOVERY), decodeRecovery, RECOVERY],
  ['tenant', encodeTenant(TENANT), decodeTenant, TENANT],
  ['quota slice', encodeSlice('acme', { index: 0, cap: ZERO, used: ZERO }), decodeSlice, expect.anything()],
  ['principal', encodePrincipal(PRINCIPAL), decodePrincipal, PRINCIPAL],
  ['beat', newBeatItem('north'), (item) => decodeBeats('north', item), expect.anything(), BEAT_VERSION],
];

describe.each(KINDS)('an item of a %s', (_, item, decode, record, known = ITEM_VERSION) => {
  test('is of this version and is read again as it was written', () => {
    expect(item['v']).toEqual(N(ITEM_VERSION));
    expect(decode(item)).toEqual(record);
  });

  test('that was written before items had versions is read', () => {
    const { v: _v, ...old } = item;
    expect(decode(old)).toEqual(record);
  });

  test('of a newer version is refused by name, version and key, whatever else it holds', () => {
    const key = { pk: item['pk'] ?? N(0), sk: item['sk'] ?? N(0) };
    for (const newer of [
      { ...item, v: N(known + 1) },
      { ...key, v: N(7) },
    ]) {
      const seen = expect.objectContaining({
        name: 'NewerVersion',
        message: `item ${key.pk.S} ${key.sk.S} is of version ${newer.v.N}; this code knows up to ${known}`,
      });
      expect(() => decode(newer)).toThrow(seen);
    }
  });
});

test.each([
  ['an allocation', decodeAllocation],
  ['a labscape', decodeLabscape],
])(
  '%s of a newer version is refused as well; one of this version that lacks something is corrupt',
  (_, decode) => {
    const key = { pk: { S: 'p' }, sk: { S: 's' } };
    expect(() => decode({ ...key, v: N(2) })).toThrow(expect.objectContaining({ name: 'NewerVersion' }));
    expect(() => decode({ ...key, v: N(1) })).toThrow(CorruptItem);
  },
);

test('the check is asked before anything of the item is read', () => {
  const decode = versioned(() => {
    throw new Error('was read');
  });
  expect(() => decode({ v: N(2) })).toThrow('is of version 2');
  expect(() => decode({ v: N(1) })).toThrow('was read');
});
