import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { diffFleet } from '../../../../lib/cli/fleet-file/diff.ts';
import { fleetFileOf, toYaml } from '../../../../lib/cli/fleet-file/export.ts';
import { parseFleetFile } from '../../../../lib/cli/fleet-file/parse.ts';
import { diffLines } from '../../../../lib/cli/fleet-file/render.ts';
import type { FleetFile } from '../../../../lib/cli/fleet-file/schema.ts';
import { anyFile, applyTo, emptyModel, type Model } from './fleet-model.ts';

const RUNS = { numRuns: 200 };
const file = (part: object): FleetFile => parseFleetFile(JSON.stringify(part), 'f');
const plain = (_: string, text: string): string => text;
const small = { processing: 10, memory: 10, storage: 10, network: 10 };
const doing = (wanted: FleetFile, model: Model, prune = false) =>
  diffFleet(wanted, model, { prune }).map(({ action, kind, id }) => `${action} ${kind} ${id}`);

function modelOf(wanted: FleetFile): Model {
  const model = emptyModel();
  applyTo(model, diffFleet(wanted, model, { prune: false }));
  return model;
}

/** Looked at without the code that made the difference. */
function expectAsDeclared(wanted: FleetFile, model: Model): void {
  const said = (one: object): object => JSON.parse(JSON.stringify(one));
  for (const [id, one] of Object.entries(wanted.labscapes))
    expect(model.labscapes.get(id)).toMatchObject(said(one));
  for (const [id, one] of Object.entries(wanted.tenants))
    expect(model.tenants.get(id)).toMatchObject(said(one));
  for (const [id, { labels, ...one }] of Object.entries(wanted.resources)) {
    expect(model.resources.get(id)).toMatchObject(said(one));
    if (labels !== undefined) expect(model.resources.get(id)?.labels).toEqual(labels);
  }
}

const NORTH = {
  labscapes: { north: { policy: { mode: 'observe' } } },
  resources: { n1: { labscape: 'north', capacity: small }, n2: { labscape: 'north', capacity: small } },
  tenants: { acme: { quota: small } },
  work: { web: { tenant: 'acme', resource: 'n1', demand: small } },
};

describe('the difference between a file and a fleet', () => {
  test('applied, it is gone; whatever the file and whatever was there before', () => {
    fc.assert(
      fc.property(anyFile, anyFile, (before, wanted) => {
        const model = modelOf(before);
        const changes = diffFleet(wanted, model, { prune: false });
        expect(changes.filter(({ action }) => action === 'refused')).toEqual([]);
        applyTo(model, changes);
        expectAsDeclared(wanted, model);
        const left = diffFleet(wanted, model, { prune: false });
        expect(left.filter(({ action }) => action !== 'unchanged' && action !== 'extra')).toEqual([]);
      }),
      RUNS,
    );
  });

  test('an export is no difference to the fleet it was made of, as YAML and as JSON', () => {
    fc.assert(
      fc.property(anyFile, (wanted) => {
        const model = modelOf(wanted);
        const exported = fleetFileOf(model);
        for (const text of [toYaml(exported), JSON.stringify(exported)]) {
          const changes = diffFleet(parseFleetFile(text, 'f'), model, { prune: true });
          expect(changes.filter(({ action }) => action !== 'unchanged')).toEqual([]);
        }
      }),
      RUNS,
    );
  });

  test('names every changed field once, with what it was, and touches nothing else', () => {
    fc.assert(
      fc.property(anyFile, anyFile, (before, wanted) => {
        const model = modelOf(before);
        const was = structuredClone(model);
        for (const { kind, id, action, fields } of diffFleet(wanted, model, { prune: false })) {
          if (action !== 'change') continue;
          expect(new Set(fields.map(({ path }) => path)).size).toBe(fields.length);
          expect(fields.length).toBeGreaterThan(0);
          const current: unknown =
            kind === 'labscape'
              ? was.labscapes.get(id)
              : kind === 'tenant'
                ? was.tenants.get(id)
                : was.resources.get(id);
          for (const { path, from, to } of fields) {
            const value = path
              .split('.')
              .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], current);
            expect(value).toEqual(from);
            expect(to).not.toEqual(from);
          }
        }
        expect(model).toEqual(was);
      }),
      RUNS,
    );
  });

  test('is in the order in which it can be done', () => {
    expect(doing(file(NORTH), emptyModel())).toEqual([
      ...['create labscape north', 'create resource n1', 'create resource n2', 'create tenant acme'],
      'create work web',
    ]);
    expect(doing(file(NORTH), modelOf(file(NORTH)))).toEqual([
      ...['unchanged labscape north', 'unchanged resource n1', 'unchanged resource n2'],
      ...['unchanged tenant acme', 'unchanged work web'],
    ]);
  });

  test('reads as a list with signs, and a sum', () => {
    const model = modelOf(file(NORTH));
    const wanted = file({
      labscapes: { north: { weight: 7, policy: { mode: 'ask' } }, south: { maintenance: true } },
      resources: { n1: { labscape: 'north', capacity: { ...small, memory: 20 }, labels: { rack: 'a' } } },
      tenants: { acme: { quota: small } },
    });
    expect(diffLines(diffFleet(wanted, model, { prune: false }), plain)).toEqual([
      '~ labscape north',
      '    weight: 100 → 7',
      '    policy.mode: observe → ask',
      '+ labscape south',
      '    maintenance: true',
      '~ resource n1',
      '    capacity.memory: 10 → 20',
      '    labels: {} → {"rack":"a"}',
      '? resource n2 is not in the file: left alone; --prune would drain it',
      '1 to create, 2 to change, 1 as it should be, 1 not in the file',
    ]);
  });
});

describe('what cannot be had is refused, with the reason', () => {
  const model = modelOf(file(NORTH));
  const n1 = model.resources.get('n1');
  if (n1 !== undefined) model.resources.set('gone', { ...n1, id: 'gone', status: 'retired' });
  const web = model.work.get('web');
  if (web !== undefined) model.work.set('old', { ...web, status: 'released' });

  test.each<[string, object, string]>([
    [
      'a labscape with other limits',
      { labscapes: { north: { policy: { limits: { memory: 0.5 } } } } },
      'cannot be changed: policy.limits.memory',
    ],
    ['other protocol versions', { labscapes: { north: { protocolVersions: ['2.0'] } } }, 'protocolVersions'],
    [
      'a resource that moves',
      { labscapes: { south: {} }, resources: { n1: { labscape: 'south', capacity: small } } },
      'cannot be changed: labscape',
    ],
    [
      'a resource in no labscape',
      { resources: { x: { labscape: 'nowhere', capacity: small } } },
      'its labscape nowhere has not joined',
    ],
    [
      'a resource named as what every object has',
      { resources: { x: { labscape: 'constructor', capacity: small } } },
      'its labscape constructor has not joined',
    ],
    [
      'a retired resource',
      { resources: { gone: { labscape: 'north', capacity: small } } },
      'is retired for good',
    ],
    ['slices', { tenants: { acme: { quota: small, slices: 9 } } }, 'cannot be changed: slices'],
    [
      'work of a tenant without a quota',
      { work: { w: { tenant: 'nobody', resource: 'n1', demand: small } } },
      'its tenant nobody has no quota',
    ],
    [
      'work nowhere',
      { work: { w: { tenant: 'acme', resource: 'x', demand: small } } },
      'its resource x is not registered',
    ],
    [
      'work on what is not healthy',
      { work: { w: { tenant: 'acme', resource: 'gone', demand: small } } },
      'its resource gone is retired',
    ],
    [
      'work that was released',
      { work: { old: { tenant: 'acme', resource: 'n1', demand: small } } },
      'was released',
    ],
    [
      'work that was taken over otherwise',
      { work: { web: { tenant: 'acme', resource: 'n2', demand: { ...small, memory: 11 } } } },
      'was taken over with other values of resource, demand.memory',
    ],
  ])('%s', (_, part, says) => {
    const refusals = diffFleet(file(part), model, { prune: false }).filter(
      ({ action }) => action === 'refused',
    );
    expect(refusals.map(({ note }) => note)).toEqual([expect.stringContaining(says)]);
    expect(refusals.flatMap(({ steps }) => steps)).toEqual([]);
  });

  test('that work has moved since is no difference', () => {
    const moved = modelOf(file(NORTH));
    const known = moved.work.get('web');
    if (known !== undefined) moved.work.set('web', { ...known, resource: 'n2' });
    expect(doing(file(NORTH), moved)).toContain('unchanged work web');
  });
});

describe('what is not in the file', () => {
  const both = { ...NORTH, labscapes: { north: {}, south: {} } };
  const wanted = { labscapes: { north: {} }, resources: { n1: { labscape: 'north', capacity: small } } };
  const south = { ...both.resources, s1: { labscape: 'south', capacity: small } };

  test('is left alone, and pruned only where it is asked for and in the labscapes of the file', () => {
    const model = modelOf(file({ ...both, resources: south }));
    expect(doing(file(wanted), model)).toEqual([
      ...['unchanged labscape north', 'unchanged resource n1'],
      ...['extra labscape south', 'extra resource n2', 'extra resource s1'],
    ]);
    expect(doing(file(wanted), model, true).slice(2)).toEqual([
      ...['extra labscape south', 'prune resource n2', 'extra resource s1'],
    ]);
  });

  test('is drained first, then retired, then gone; what a recovery owns is waited for', () => {
    const model = modelOf(file({ ...both, resources: south }));
    const next = () => {
      const changes = diffFleet(file(wanted), model, { prune: true });
      applyTo(model, changes);
      return changes.flatMap(({ id, steps }) => steps.map(({ call }) => `${call} ${id}`));
    };
    expect([next(), next(), next()]).toEqual([['drain n2'], ['retire n2'], []]);
    const n1 = model.resources.get('n1');
    if (n1 !== undefined) model.resources.set('n3', { ...n1, id: 'n3', recovery: 'n3-2-1' });
    expect(next()).toEqual([]);
  });
});
