import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FunctionName, PERMISSIONS, type Permissions } from '../../infra/permissions.ts';
import { collect, type Rig, startRig } from '../api/rig.ts';
import { newSite } from '../api/site.ts';

/** Actions by the call that needs them. Items of a transaction are authorised one by one as these. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  TransactGetItems: ['GetItem'],
  TransactWriteItems: ['PutItem', 'UpdateItem', 'ConditionCheckItem'],
};

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
  await rig.invoke('sweep', {});
  await rig.invoke('recovery-trigger', { Records: [] });
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

  test('what is granted is used', () => {
    expect(unused()).toEqual({});
  });
});
