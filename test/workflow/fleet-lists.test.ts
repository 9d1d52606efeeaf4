import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startEngine } from '../../infra/local/database/engine.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { ensureTables } from '../../infra/local/template/tables.ts';
import { readTemplate } from '../../infra/local/template/template.ts';
import { SNAPSHOT_AGE_MAX_MS } from '../../lib/services/fleet.ts';
import { resourcesOf } from '../../lib/store/fleet/resources.ts';
import { PhasesRig } from './phases-rig.ts';

const AGE_MS = 10_000;

let rig: PhasesRig;
beforeAll(async () => {
  const engine = await startEngine();
  const { tables } = readTemplate(await synthesise());
  await ensureTables(engine.url, tables);
  rig = new PhasesRig(engine, tables);
});
afterAll(() => rig.stop());

test('lists that were read for a batch are not read again until they are old; what is new is found', async () => {
  await rig.labscape('north', 2, {});
  await rig.labscape('south', 2, {});
  const { fleet, store } = rig.warm();
  const ids = async (ageMs: number) => (await fleet.snapshot(ageMs)).resources.map(({ id }) => id).toSorted();
  const reads = async (ageMs: number) => {
    const before = fleet.reads;
    await fleet.snapshot(ageMs);
    return fleet.reads - before;
  };
  const read = async (labscape: string) => {
    const at = rig.clock.monotonicMs();
    fleet.takeList(labscape, await resourcesOf(store, labscape, true), at);
  };
  expect(await ids(AGE_MS)).toEqual(['north-1', 'north-2', 'south-1', 'south-2']);
  expect(await reads(AGE_MS)).toBe(0);

  rig.clock.ms += AGE_MS;
  await read('north');
  await read('south');
  expect(await reads(AGE_MS)).toBe(0);
  expect((await fleet.snapshot(AGE_MS)).at).toBeGreaterThan(rig.clock.ms - SNAPSHOT_AGE_MAX_MS);

  // One list is old: it is read, and the snapshot is as old as the other.
  rig.clock.ms += AGE_MS;
  await read('north');
  const { at } = await fleet.snapshot(AGE_MS);
  expect(at).toBeGreaterThan(rig.clock.ms - SNAPSHOT_AGE_MAX_MS);
  expect(await reads(AGE_MS)).toBe(0);

  // Whoever joins is found by whoever asks for labscapes, and what it has by the next snapshot.
  await rig.labscape('east', 1, {});
  expect(await fleet.labscape('east')).toBeDefined();
  expect(await ids(AGE_MS)).toContain('east-1');
});

test('a resource that a list names for the first time is in the next snapshot, and placement looks at it', async () => {
  await rig.labscape('west', 1, {});
  const { fleet, store } = rig.warm();
  await fleet.snapshot();
  const [first] = await resourcesOf(store, 'west', true);
  if (first === undefined) throw new Error('no resource');
  const second = { ...first, id: 'west-9' };
  fleet.takeList('west', [first, second], rig.clock.monotonicMs());
  expect(fleet.seen('west-9')).toMatchObject({ id: 'west-9', labscape: 'west' });
  expect(fleet.index.ids()).toContain('west-9');
  // A list that lacks what is known is no whole one: the next refresh reads it, whatever its age.
  rig.clock.ms += AGE_MS;
  fleet.takeList('west', [first], rig.clock.monotonicMs());
  expect((await fleet.snapshot(SNAPSHOT_AGE_MAX_MS)).resources.map(({ id }) => id)).not.toContain('west-9');
});
