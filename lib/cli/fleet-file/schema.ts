import * as z from 'zod';
import { AllocationInput } from '../../schemas/allocation.ts';
import { Capacity, Id, Labels } from '../../schemas/common.ts';
import { Devices } from '../../schemas/devices.ts';
import { LabscapeInput, LabscapePatch, LimitShares } from '../../schemas/labscape.ts';
import { TenantInput } from '../../schemas/tenant.ts';

const shares = LimitShares.shape;

/** As the API takes it, but nothing is filled in: what the file leaves out is left as it is. */
const DeclaredPolicy = LabscapePatch.shape.policy.unwrap().extend({
  limits: z
    .strictObject({
      processing: shares.processing.unwrap().optional(),
      memory: shares.memory.unwrap().optional(),
      storage: shares.storage.unwrap().optional(),
      network: shares.network.unwrap().optional(),
    })
    .optional(),
});

const { name, weight, residency, maintenance } = LabscapePatch.shape;
const { publicKey, endpoint, protocolVersions } = LabscapeInput.shape;

export const DeclaredLabscape = z.strictObject({
  ...{ name, publicKey, endpoint, weight, residency, maintenance },
  protocolVersions: protocolVersions.unwrap().optional(),
  policy: DeclaredPolicy.optional(),
});
export type DeclaredLabscape = z.infer<typeof DeclaredLabscape>;

export const DeclaredResource = z.strictObject({
  labscape: Id,
  capacity: Capacity,
  devices: Devices.optional(),
  labels: Labels.optional(),
});
export type DeclaredResource = z.infer<typeof DeclaredResource>;

export const DeclaredTenant = z.strictObject({
  quota: TenantInput.shape.quota,
  slices: TenantInput.shape.slices.unwrap().optional(),
  weight: TenantInput.shape.weight,
});
export type DeclaredTenant = z.infer<typeof DeclaredTenant>;

/** Work that runs already, and where. */
export const DeclaredWork = AllocationInput.pick({
  demand: true,
  devices: true,
  class: true,
  constraints: true,
  spec: true,
  protected: true,
}).extend({ tenant: Id, resource: Id });
export type DeclaredWork = z.infer<typeof DeclaredWork>;

const declared = <T extends z.ZodType>(entry: T) => z.record(Id, entry).default({});

/** A fleet as somebody wants it: each part by its id. */
export const FleetFile = z.strictObject({
  labscapes: declared(DeclaredLabscape),
  resources: declared(DeclaredResource),
  tenants: declared(DeclaredTenant),
  work: declared(DeclaredWork),
});
export type FleetFile = z.infer<typeof FleetFile>;

/** The Idempotency-Key of declared work: applying the file again is the same request. */
export const workKeyOf = (work: string): string => `work/${work}`;
