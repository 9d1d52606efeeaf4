import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { entityOf, nextEvent } from '../../lib/audit/event.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import { readResource } from '../../lib/store/fleet/resources.ts';
import { membersOf } from '../../lib/store/placement/allocations.ts';
import { type GroupRecord, readGroup } from '../../lib/store/placement/groups.ts';
import { type Regrouped, regroupWrites } from '../../lib/store/placement/regroup-writes.ts';
import { Store } from '../../lib/store/store.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import type { Write } from '../../lib/store/table/write.ts';
import { sum } from '../../lib/vector.ts';
import { expectFoldAgrees } from './fold-facts.ts';
import { type Rig, startRig } from './rig.ts';
import { GROUP_CLOSES_AT, newSite, type Site } from './site.ts';

let rig: Rig;
let store: Store;
beforeAll(async () => {
  rig = await startRig();
  const named = (part: string) =>
    rig.host.template.tables.find(({ name }) => name.includes(part))?.name ?? '';
  store = new Store(
    dynamodbClient({
      ...{ region: 'local', endpoint: rig.host.engine.url },
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    }),
    { state: named('-State'), audit: named('-Audit') },
  );
});
afterAll(() => rig.stop());

interface Scene {
  readonly site: Site;
  readonly resource: string;
  /** Members of the group that shall end, and of the one that shall take them. */
  readonly leaving: readonly Allocation[];
  readonly staying: readonly Allocation[];
  /** One transaction that gives all members over, on a picture of before whatever the test does next. */
  readonly merge: readonly Write[];
}

const group = async (id = ''): Promise<GroupRecord> => {
  const found = await readGroup(store, id);
  if (found === undefined) throw new Error(`no group ${id}`);
  return found;
};

async function scene(): Promise<Scene> {
  const site = await newSite(rig);
  const leaving = await site.fill(2, 5);
  const filler = await site.place(GROUP_CLOSES_AT);
  // Its own group, since it is large; the small ones fill up by a last one.
  const last = await site.place(GROUP_CLOSES_AT - 11);
  const closer = await site.place(1);
  const staying = [await site.place(5)];
  for (const { id } of [filler, last, closer]) await site.release(id);
  const [id = ''] = site.resources;
  const resource = await readResource(store, site.labscape, id);
  if (resource === undefined) throw new Error(`no resource ${id}`);
  const from = await group(leaving[0]?.group);
  const into = await group(staying[0]?.group);
  expect(from.id).not.toBe(into.id);
  const origin = { actor: 'test', request: 'test', at: Date.now() };
  const members = (await membersOf(store, from.id)).map((allocation, index, all): Regrouped => {
    const entity = entityOf.allocation(allocation.tenant, allocation.id);
    const body = {
      from: from.id,
      group: into.id,
      born: false,
      closed: index === all.length - 1,
      resource: id,
    };
    return { allocation, event: nextEvent(entity, allocation.chain, origin, 'allocation.regrouped', body) };
  });
  expect(members).toHaveLength(2);
  const merge = regroupWrites(store, {
    ...{ resource, from, into: { kind: 'open', group: into }, members, running: 0, at: origin.at },
    demand: sum(members.map(({ allocation }) => allocation.demand)),
  });
  return { site, resource: id, leaving, staying, merge };
}

/** What is done on the way of a merge, and which of its writes must not take place then. */
const COMING_BETWEEN: [string, (scene: Scene) => Promise<Allocation[]>, string][] = [
  [
    'a release of a member that leaves',
    async ({ site, leaving: [first, ...rest], staying }) => {
      await site.release(first?.id ?? '');
      return [...rest, ...staying];
    },
    'from',
  ],
  [
    'a release of a member of the group that takes them',
    async ({ site, leaving, staying: [first, ...rest] }) => {
      await site.release(first?.id ?? '');
      return [...leaving, ...rest];
    },
    'into',
  ],
  ['a newcomer', async ({ site, leaving, staying }) => [...leaving, ...staying, await site.place(2)], 'into'],
  [
    'the renewal of a lease',
    async ({ site, leaving, staying }) => {
      await rig.admin.call('renewAllocation', {
        ...{ params: { allocation: leaving[0]?.id ?? '' }, query: { tenant: site.tenant } },
        body: { leaseMs: 600_000 },
      });
      return [...leaving, ...staying];
    },
    'allocation:',
  ],
  [
    'a drain',
    async ({ site, resource, leaving, staying }) => {
      await site.register();
      await site.drained(resource);
      return [...leaving, ...staying];
    },
    'resource',
  ],
  [
    'the same merge',
    async ({ leaving, staying, merge }) => {
      expect((await store.transact(merge)).kind).toBe('done');
      return [...leaving, ...staying];
    },
    'from',
  ],
];

test.each(COMING_BETWEEN)('members are not given over on a picture from before %s', async (_, act, loser) => {
  const at = await scene();
  const placed = await act(at);
  const outcome = await store.transact(at.merge);
  if (outcome.kind !== 'refused') throw new Error(`was ${outcome.kind}`);
  expect([...outcome.failed.keys()].join()).toContain(loser);
  await at.site.expectNothingLost(placed);
  await expectFoldAgrees(rig);
});

test('who reads a member before it was given over finds it where it is now', async () => {
  const { site, leaving, staying, merge } = await scene();
  const [released, kept] = leaving;
  const [outcome] = await Promise.all([store.transact(merge), site.release(released?.id ?? '')]);
  expect(['done', 'refused', 'raced']).toContain(outcome.kind);
  await site.expectNothingLost([...staying, ...(kept === undefined ? [] : [kept])]);
  await expectFoldAgrees(rig);
});
