import { describe, expect, test } from '@jest/globals';
import { isOf, planApiDrill } from '../../../infra/local/drill/api-plan.ts';
import { planDrill } from '../../../infra/local/drill/drill-plan.ts';
import { API_SIZE, DRILL_SIZE, readArguments } from '../../../infra/local/drill/options.ts';
import { UsageError } from '../../../infra/usage.ts';
import { closeBoundOf, isLarge, kindOf } from '../../../lib/allocation/groups.ts';
import { fillOf, limitOf } from '../../../lib/allocation/limits.ts';
import { Constraints } from '../../../lib/schemas/allocation.ts';
import { Policy } from '../../../lib/schemas/labscape.ts';
import { profileOf } from '../../../lib/services/placement/allocation-draft.ts';
import { add, sum, within } from '../../../lib/vector.ts';

const SIZES = [
  DRILL_SIZE,
  { ...DRILL_SIZE, groups: 24 },
  { ...DRILL_SIZE, resources: 6 },
  { ...DRILL_SIZE, resources: 13, groups: 1, allocations: 60 },
  { ...DRILL_SIZE, allocations: 20_000 },
];

describe('the plan', () => {
  test.each(SIZES)(
    'of $allocations allocations on $resources resources leaves room for any of them',
    (size) => {
      const plan = planDrill(size);
      const count = plan.resources.length;
      const [resource] = plan.resources;
      if (resource === undefined) throw new Error('no resources');
      const limit = limitOf(resource.capacity, Policy.parse({}).limits);
      const share = sum(plan.allocations.map(({ input }) => input.demand));
      // What one holds on average, and what is left of rounding and of an uneven spread.
      const each = { ...share };
      for (const d of ['processing', 'memory', 'storage', 'network'] as const)
        each[d] = (share[d] / count) * 1.05;

      expect(plan.allocations).toHaveLength(size.allocations);
      expect(new Set(plan.allocations.map(({ key }) => key)).size).toBe(size.allocations);
      expect(within(add(each, each), fillOf(limit, 'system'))).toBe(true);
      expect(within(share, plan.tenant.quota)).toBe(true);
    },
  );

  test.each(SIZES)(
    'gives each resource allocations of $groups kinds, each small enough to share a group',
    (size) => {
      const plan = planDrill(size);
      const [resource] = plan.resources;
      if (resource === undefined) throw new Error('no resources');
      const closeBound = closeBoundOf(resource.capacity);
      const kinds = new Set(
        plan.allocations.map(({ input }) =>
          kindOf(
            input.class ?? 'normal',
            profileOf({ constraints: Constraints.parse(input.constraints ?? {}) }),
          ),
        ),
      );
      expect(kinds.size).toBeGreaterThanOrEqual(size.groups);
      if (size.allocations > 100 * size.resources) {
        expect(plan.allocations.some(({ input }) => isLarge(input.demand, closeBound))).toBe(false);
      }
    },
  );

  test('asks for a strategy where one is given, and else for none', () => {
    const asked = planDrill({ ...DRILL_SIZE, strategy: 'best-fit' });
    expect(new Set(asked.allocations.map(({ input }) => input.strategy))).toEqual(new Set(['best-fit']));
    expect(planDrill(DRILL_SIZE).allocations.some(({ input }) => 'strategy' in input)).toBe(false);
  });

  test('spreads the resources over three labscapes', () => {
    const { labscapes, resources } = planDrill(DRILL_SIZE);
    expect(labscapes.map(({ id }) => resources.filter((r) => r.labscape === id).length)).toEqual([4, 4, 4]);
    expect(new Set(resources.map(({ id }) => id)).size).toBe(12);
  });
});

describe('the plan over an API', () => {
  const plan = planApiDrill(API_SIZE, 'drill-1a2b');

  test('keeps its work within a labscape and a tenant of its own', () => {
    expect(plan.labscapes.map(({ id }) => id)).toEqual(['drill-1a2b']);
    expect(plan.tenant.id).toBe('drill-1a2b');
    expect(plan.resources.map(({ labscape }) => labscape)).toEqual(Array(4).fill('drill-1a2b'));
    for (const { input } of plan.allocations) {
      expect([input.tenant, input.constraints?.labscapes]).toEqual(['drill-1a2b', ['drill-1a2b']]);
    }
  });

  test("has no room for anybody else's work, but for its own, also when one resource is gone", () => {
    const limits = Policy.parse({}).limits;
    const [resource] = plan.resources;
    if (resource === undefined) throw new Error('no resources');
    const limit = limitOf(resource.capacity, limits);
    expect(limit).toMatchObject({ processing: 0, memory: 0 });
    const all = sum(plan.allocations.map(({ input }) => input.demand));
    expect(all).toMatchObject({ processing: 0, memory: 0 });
    expect(all.storage).toBeGreaterThan(0);
    expect(all.storage * 1.05).toBeLessThan(3 * fillOf(limit, 'system').storage);
    expect(all.network * 1.05).toBeLessThan(3 * fillOf(limit, 'system').network);
    expect(within(all, plan.tenant.quota)).toBe(true);
  });

  test('knows its entities in the audit from those of others', () => {
    const mine = isOf('drill-1a2b');
    const own = ['labscape#drill-1a2b', 'resource#drill-1a2b-3', 'allocation#drill-1a2b#x'];
    expect([...own, 'recovery#drill-1a2b-3-1-1'].every(mine)).toBe(true);
    expect(['resource#drill-1a2bc', 'tenant#acme', 'allocation#acme#drill-1a2b'].some(mine)).toBe(false);
  });
});

describe('the arguments', () => {
  test('have defaults', () => {
    const { leaseMs: _, ...size } = DRILL_SIZE;
    const triggers = ['detector', 'alarm'];
    expect(readArguments([])).toEqual({ ...size, triggers, rebalance: false, json: false });
  });

  test('are taken', () => {
    const argv = ['--allocations', '600', '--groups=4', '--resources', '6', '--trigger', 'alarm', '--json'];
    const more = ['--beat-ms', '1000', '--lease-ms', '3000', '--strategy', 'best-fit', '--rebalance'];
    expect(readArguments([...argv, ...more])).toEqual({
      ...{
        allocations: 600,
        groups: 4,
        resources: 6,
        beatMs: 1_000,
        leaseMs: 3_000,
        triggers: ['alarm'],
        strategy: 'best-fit',
        rebalance: true,
        json: true,
      },
    });
  });

  test.each([
    [['--allocations', 'many'], /--allocations must be a whole number/],
    [['--allocations', '0'], /--allocations must be from 1 to 20000/],
    [['--allocations', '100'], /--allocations must be at least 192: 2 for each of 8 groups on 12 resources/],
    [['--groups', '25'], /--groups must be from 1 to 24/],
    [['--groups', '1.5'], /--groups must be a whole number/],
    [['--resources', '3'], /--resources must be from 6 to 60/],
    [['--resources', '-6'], /--resources/],
    [['--lease-ms', '700'], /--lease-ms must be at least two beats, 1000/],
    [['--strategy', 'hope'], /--strategy must be one of least-loaded, round-robin/],
    [['--trigger', 'hope'], /--trigger must be detector, alarm or both/],
    [['--speed', '9'], /Unknown option '--speed'/],
    [['--token', 'x'], /--token is for --api only/],
    [['now'], /Unexpected argument 'now'/],
    [['--groups', 'x', '--resources', 'y'], /--groups must be.*; --resources must be/],
  ])('%j are refused with the reason', (argv, reason) => {
    expect(() => readArguments(argv)).toThrow(UsageError);
    expect(() => readArguments(argv)).toThrow(reason);
  });
});

describe('the arguments of a drill over an API', () => {
  const URL = 'https://api.example.com/prod';
  const withToken = { LABSCAPE_TOKEN: 'from-environment' };

  test('have smaller defaults, and the token may come from the environment', () => {
    const { leaseMs: _, ...size } = API_SIZE;
    expect(readArguments(['--api', URL], withToken)).toEqual({
      ...{ ...size, triggers: ['detector'], rebalance: false, json: false },
      api: { url: URL, token: 'from-environment' },
    });
    expect(readArguments(['--api', URL, '--token', 'given'], withToken).api?.token).toBe('given');
    expect(readArguments(['--api', URL, '--resources', '3'], withToken).resources).toBe(3);
  });

  test.each(['http://127.0.0.1:4600', 'http://localhost:4600', 'http://[::1]:4600'])(
    'may name %s: what is said there stays on this machine',
    (url) => expect(readArguments(['--api', url], withToken).api?.url).toBe(url),
  );

  test.each([
    [['--api', URL], {}, /needs an administrator's token: set LABSCAPE_TOKEN, or pass --token/],
    [['--api', URL], { LABSCAPE_TOKEN: '' }, /needs an administrator's token/],
    [['--api', 'http://api.example.com'], withToken, /https: over http the token would travel to api.examp/],
    [['--api', 'http://127.0.0.1.example.com'], withToken, /in clear/],
    [['--api', 'http://10.0.0.1'], withToken, /in clear/],
    [['--api', 'ftp://api.example.com'], withToken, /must be an https URL/],
    [['--api', 'api.example.com'], withToken, /is not a URL/],
    [['--api', 'https://me:secret@api.example.com'], withToken, /plain address/],
    [['--api', `${URL}?stage=prod`], withToken, /plain address/],
    [['--api', URL, '--trigger', 'alarm'], withToken, /--trigger must be detector with --api/],
    [['--api', URL, '--trigger', 'both'], withToken, /--trigger must be detector with --api/],
    [['--api', URL, '--resources', '2'], withToken, /--resources must be from 3 to 60/],
    [['--api', URL, '--token', 'two words'], {}, /characters that no token has/],
  ])('%j are refused with the reason', (argv, environment, reason) => {
    expect(() => readArguments(argv, environment)).toThrow(UsageError);
    expect(() => readArguments(argv, environment)).toThrow(reason);
  });
});
