import { describe, expect, test } from '@jest/globals';
import { planDrill } from '../../../infra/local/drill/drill-plan.ts';
import { DRILL_SIZE, readArguments, UsageError } from '../../../infra/local/drill/options.ts';
import { closeBoundOf, isLarge, kindOf } from '../../../lib/allocation/groups.ts';
import { fillOf, limitOf } from '../../../lib/allocation/limits.ts';
import { Policy } from '../../../lib/schemas/labscape.ts';
import { profileOf } from '../../../lib/services/allocate.ts';
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
          kindOf(input.class ?? 'normal', profileOf({ constraints: input.constraints ?? {} })),
        ),
      );
      expect(kinds.size).toBeGreaterThanOrEqual(size.groups);
      if (size.allocations > 100 * size.resources) {
        expect(plan.allocations.some(({ input }) => isLarge(input.demand, closeBound))).toBe(false);
      }
    },
  );

  test('spreads the resources over three labscapes', () => {
    const { labscapes, resources } = planDrill(DRILL_SIZE);
    expect(labscapes.map(({ id }) => resources.filter((r) => r.labscape === id).length)).toEqual([4, 4, 4]);
    expect(new Set(resources.map(({ id }) => id)).size).toBe(12);
  });
});

describe('the arguments', () => {
  test('have defaults', () => {
    const { leaseMs: _, ...size } = DRILL_SIZE;
    const triggers = ['detector', 'alarm'];
    expect(readArguments([])).toEqual({ ...size, triggers, json: false, help: false });
  });

  test('are taken', () => {
    const argv = ['--allocations', '600', '--groups=4', '--resources', '6', '--trigger', 'alarm', '--json'];
    expect(readArguments([...argv, '--beat-ms', '1000', '--lease-ms', '3000'])).toEqual({
      ...{
        allocations: 600,
        groups: 4,
        resources: 6,
        beatMs: 1_000,
        leaseMs: 3_000,
        triggers: ['alarm'],
        json: true,
        help: false,
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
    [['--trigger', 'hope'], /--trigger must be detector, alarm or both/],
    [['--speed', '9'], /Unknown option '--speed'/],
    [['now'], /Unexpected argument 'now'/],
    [['--groups', 'x', '--resources', 'y'], /--groups must be.*; --resources must be/],
  ])('%j are refused with the reason', (argv, reason) => {
    expect(() => readArguments(argv)).toThrow(UsageError);
    expect(() => readArguments(argv)).toThrow(reason);
  });
});
