import * as z from 'zod';
import { Id } from './common.ts';

/** What CloudWatch publishes when an alarm changes its state; fields we do not use are let through. */
export const AlarmMessage = z.object({
  AlarmName: z.string().min(1).max(255),
  AWSAccountId: z.string().max(20),
  NewStateValue: z.enum(['ALARM', 'OK', 'INSUFFICIENT_DATA']),
  NewStateReason: z.string().max(4096).default(''),
  Trigger: z
    .object({ Dimensions: z.array(z.object({ name: z.string(), value: z.string() })).default([]) })
    .default({ Dimensions: [] }),
});
export type AlarmMessage = z.infer<typeof AlarmMessage>;

export const SnsEvent = z.object({
  Records: z.array(z.object({ Sns: z.object({ MessageId: z.string().optional(), Message: z.string() }) })),
});

/** An alarm of the user's own, bound to what it speaks of. */
export const AlarmBinding = z.union([
  z.strictObject({ alarmName: z.string().min(1).max(255), resource: Id }),
  z.strictObject({ alarmName: z.string().min(1).max(255), labscape: Id }),
]);
export type AlarmBinding = z.infer<typeof AlarmBinding>;
