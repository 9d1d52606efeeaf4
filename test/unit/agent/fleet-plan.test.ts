import { describe, expect, test } from '@jest/globals';
import { FLEET_SIZE, planFleet } from '../../../infra/local/sample/fleet-plan.ts';
import { AllocationInput } from '../../../lib/schemas/allocation.ts';
import { DIMENSIONS, IdempotencyKey } from '../../../lib/schemas/common.ts';
import { LabscapeInput } from '../../../lib/schemas/labscape.ts';
import { ResourceInput } from '../../../lib/schemas/resource.ts';
import { TenantInput } from '../../../lib/schemas/tenant.ts';

describe.each([
  ['the sample', FLEET_SIZE],
  ['a large', { labscapes: ['north', 'south'], resourcesEach: 4, allocationsEach: 1000 }],
])('%s fleet', (_, size) => {
  const plan = planFleet(size);

  test('asks for nothing that the API would not take', () => {
    for (const each of plan.labscapes) LabscapeInput.parse(each);
    for (const each of plan.resources) ResourceInput.parse(each);
    TenantInput.parse({ quota: plan.tenant.quota, slices: plan.tenant.slices });
    for (const { key, input } of plan.allocations) {
      AllocationInput.parse(input);
      IdempotencyKey.parse(key);
    }
    expect(new Set(plan.allocations.map(({ key }) => key)).size).toBe(plan.allocations.length);
  });

  test("has room for any one resource's work on the others of its labscape", () => {
    for (const dimension of DIMENSIONS) {
      const asked = plan.allocations.reduce((sum, { input }) => sum + input.demand[dimension], 0);
      const labscapes = plan.labscapes.length;
      const others = size.resourcesEach - 1;
      const capacity = plan.resources[0]?.capacity[dimension] ?? 0;
      // 70 % is the lowest limit of any dimension.
      expect(asked / labscapes).toBeLessThan(others * capacity * 0.7);
    }
  });
});
