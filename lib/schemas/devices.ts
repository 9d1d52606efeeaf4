import * as z from 'zod';

/** Sub-slots of one device: a demand for a share of a device asks for so many of them. */
export const DEVICE_MILLI = 1_000;
/** Bound that keeps a resource item small. */
const DEVICES_MAX = 16;

export const DeviceModel = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'must be a device model of A-Z, a-z, 0-9 and ._-');

/** What a resource has: devices of one model. */
export const Devices = z.strictObject({
  model: DeviceModel,
  count: z.int().min(1).max(DEVICES_MAX),
});
export type Devices = z.infer<typeof Devices>;

/** What an allocation asks for: so many different devices, and of each so many thousandths. */
export const DeviceDemand = z.strictObject({
  count: z.int().min(1).max(DEVICES_MAX).default(1),
  milli: z
    .int()
    .min(1)
    .max(DEVICE_MILLI)
    .default(DEVICE_MILLI)
    .meta({ description: 'of each device, thousandths' }),
  models: z
    .array(DeviceModel)
    .min(1)
    .max(16)
    .optional()
    .meta({ description: 'any of these; every model unless given' }),
});
export type DeviceDemand = z.infer<typeof DeviceDemand>;

/** Indexes of the owner's devices, one for each virtual slot (0…count−1) of the allocation. */
export const DeviceIndexes = z
  .array(
    z
      .int()
      .min(0)
      .max(DEVICES_MAX - 1),
  )
  .meta({ description: "which of its resource's devices it has, by its own slots 0…count−1" });

/** A resource's devices and how many of each one's 1000 sub-slots are taken. */
export const DeviceState = z.object({
  model: DeviceModel,
  count: z.int(),
  used: z.array(z.int()).meta({ description: 'thousandths taken, by the index of the device' }),
});
