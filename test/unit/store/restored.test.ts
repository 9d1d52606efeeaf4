import { describe, expect, test } from '@jest/globals';
import { EMPTY_CHAIN, entityOf, nextEvent } from '../../../lib/audit/event.ts';
import type { FailedBy, ResourceStatus } from '../../../lib/schemas/resource.ts';
import { restoredResource } from '../../../lib/store/backup/restored.ts';
import { decodeResource, encodeResource, type ResourceRecord } from '../../../lib/store/fleet/resources.ts';
import { N, S } from '../../../lib/store/table/attributes.ts';
import { even } from '../../api/rig.ts';

const AT = 1_795_132_800_000;
const OF_BEFORE = AT - 3_600_000;
const origin = { at: AT, actor: 'test', request: 'test' };
const event = nextEvent(entityOf.resource('r'), EMPTY_CHAIN, origin, 'resource.restored', {});

const failed: ResourceRecord = {
  ...{ id: 'r', labscape: 'l', status: 'failed', since: OF_BEFORE, statusReason: 'test', labels: {} },
  ...{ capacity: even(100), limit: even(80), fill: even(72), used: even(0), groups: [] },
  ...{ epoch: 3, cfg: 2, chain: { rev: 4, head: 'h' }, assignmentRevision: 7, attempt: 2, flaps: 0 },
  ...{ recovery: undefined, lastRecoveryEndedAt: undefined, failedBy: undefined, retryAt: undefined },
  ...{ acknowledgedEpoch: 0, moving: false },
};

/** A failed resource of the backup, as it is after a restore; `by`: whose word made it failed. */
function restored(by: FailedBy | undefined, to: ResourceStatus = 'failed'): ResourceRecord {
  const item = {
    ...encodeResource(failed),
    ...(by === undefined ? {} : { failedBy: S(by) }),
    ...{ retryAt: N(OF_BEFORE), drainAt: N(OF_BEFORE), recovery: S('r-3-2') },
  };
  return decodeResource(restoredResource(item, event, { to, epoch: 9, revision: 8 }, undefined));
}

describe('a resource after a restore', () => {
  test.each(['api', 'alarm'] as const)('that %s failed is owed a recovery by the rules, now', (by) => {
    expect(restored(by)).toMatchObject({ status: 'failed', failedBy: by, retryAt: AT });
  });

  test('of which nobody says who failed it counts as failed by a person, and is owed one, too', () => {
    expect(restored(undefined)).toMatchObject({ failedBy: 'api', retryAt: AT });
  });

  test('that the detector failed is owed none before it is missed again', () => {
    expect(restored('detector')).toMatchObject({ failedBy: 'detector', retryAt: undefined });
  });

  test('that runs is owed none, and no order of before goes on', () => {
    const runs = restored(undefined, 'healthy');
    expect(runs).toMatchObject({ status: 'healthy', failedBy: undefined, retryAt: undefined });
    expect(runs).toMatchObject({ drainAskedAt: undefined, recovery: undefined, epoch: 9, attempt: 3 });
  });
});
