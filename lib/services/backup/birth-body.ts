import * as z from 'zod';
import { Constraints } from '../../schemas/allocation.ts';
import { Class, Vector } from '../../schemas/common.ts';
import { WorkData } from '../../schemas/data.ts';
import { DeviceDemand } from '../../schemas/devices.ts';
import { StrategyName } from '../../schemas/strategy.ts';

/** Of `allocation.placed` and `allocation.waiting`: see bornWith. Events of versions before 2026-11-22 do not tell all. */
export const BirthBody = z.object({
  class: Class,
  demand: Vector,
  devices: DeviceDemand.strip().optional(),
  constraints: Constraints.default({}),
  resource: z.string().nullable(),
  adopted: z.boolean().default(false),
  requestHash: z.string(),
  kind: z.string(),
  slice: z.int().min(0),
  hasSpec: z.boolean(),
  strategy: StrategyName.optional(),
  hashKey: z.string().optional(),
  data: WorkData.optional(),
});
export type BirthBody = z.output<typeof BirthBody>;
