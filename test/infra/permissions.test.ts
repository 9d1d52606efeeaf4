import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FunctionName, PERMISSIONS, type Permissions } from '../../infra/permissions.ts';
import { collect, type Rig, startRig } from '../api/rig.ts';
import { newSite } from '../api/site.ts';

/** Actions by the call that needs them. Items of a transaction are authorised one by one as these. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  TransactGetItems: ['GetItem'],
  TransactWriteItems: ['PutItem', 'UpdateItem', 'ConditionCheckItem'],
};

/** What CloudWatch says through SNS when a labscape's alarm rises. */
const ALARM = {
  Records: [
    {
      EventSource: 'aws:sns',
      Sns: {
        MessageId: '1',
        Message: JSON.stringify({
          AlarmName: 'labscape-local-failed-north',
          NewStateValue: 'ALARM',
          OldStateValue: 'OK',
          StateChangeTime: '2026-01-01T00:00:00.000+0000',
          AWSAccountId: '000000000000',
          Region: 'US East (N. Virginia)',
          Trigger: {
            Namespace: 'Labscape',
            MetricName: 'FailedResources',
            Dimensions: [{ name: 'labscape', value: 'site1' }],
          },
        }),
      },
    },
  ],
};

const WRITES = ['PutItem', 'UpdateItem', 'ConditionCheckItem'];

let rig: Rig;
let used: ReadonlyMap<string, ReadonlySet<string>>;

beforeAll(async () => {
  rig = await startRig();
  const site = await newSite(rig, { resources: 3 });
  const [placed] = await site.fill(6, 30);
  await site.failAndRestore(site.resources[0] ?? '');
  await site.release(placed?.id ?? '');
  await rig.admin.call('getStatus');
  await collect(rig.admin.pages('listEvents', { query: { limit: 100 } }));
  await collect(rig.admin.pages('listLabscapes'));
  await collect(rig.admin.pages('listRecoveries'));
  await rig.admin.call('getTenant', { params: { tenant: site.tenant } });
  const eve = { params: { principal: 'eve' } };
  await rig.admin.call('revokePrincipal', { ...eve, body: { reason: 'a test' } });
  await rig.admin.call('getPrincipal', eve);
  await site.beat(site.resources[1] ?? '');
  await rig.invoke('sweep', {});
  await rig.invoke('recovery-trigger', ALARM);
  used = byFunction(rig.host.counters());
}, 120_000);
afterAll(() => rig.stop());

function byFunction(counters: Readonly<Record<string, number>>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const counter of Object.keys(counters)) {
    const [name = '', operation = ''] = counter.split('.');
    const actions = found.get(name) ?? new Set();
    for (const action of NEEDED[operation] ?? [operation]) actions.add(action);
    found.set(name, actions);
  }
  return found;
}

/** Granted, and not seen in a scenario in which most things go well. */
const UNSEEN: Readonly<Record<string, { readonly actions: readonly string[]; readonly reason: string }>> = {
  assignments: {
    actions: ['BatchGetItem', 'Query'],
    reason: 'what an agent fetches is found by group; here none fetches',
  },
  heartbeats: {
    actions: ['PutItem', 'ConditionCheckItem'],
    reason: 'a verdict that falls changes the resource, with an event; a healthy beat is one update',
  },
  recoveries: { actions: WRITES, reason: 'an approval is written with its event' },
  'recovery-trigger': {
    actions: ['GetItem', ...WRITES],
    reason: 'an alarm bound to one resource reads it and declares it failed, with an event',
  },
  resources: {
    actions: ['BatchGetItem'],
    reason: 'a list of resources shows when each was last heard; here is none asked for',
  },
  sweep: {
    actions: ['GetItem', ...WRITES],
    reason: 'here is nothing to tidy: no lease ran out, no recovery was lost',
  },
};

const granted = ({ state, audit }: Permissions): Set<string> => new Set([...state, ...audit]);
const unused = (): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(PERMISSIONS)
      .map(
        ([name, row]) => [name, [...granted(row)].filter((action) => !used.get(name)?.has(action))] as const,
      )
      .filter(([, actions]) => actions.length > 0),
  );

describe('what functions may do and what they did', () => {
  test('none called what its row does not grant', () => {
    for (const [name, actions] of used) {
      const reads = [...actions].filter((action) => !NEEDED['TransactWriteItems']?.includes(action));
      const row = granted(PERMISSIONS[name as FunctionName]);
      expect([name, reads.filter((action) => !row.has(action as never))]).toEqual([name, []]);
    }
  });

  test('what is granted is used, or there is a reason', () => {
    const reasons = Object.entries(UNSEEN).map(([name, { actions }]) => [name, actions.toSorted()]);
    const found = Object.entries(unused()).map(([name, actions]) => [name, actions.toSorted()]);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(reasons));
  });
});
