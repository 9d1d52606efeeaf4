import * as z from 'zod';
import { RESTORE_OUTCOMES } from '../../../lib/schemas/assignment.ts';

/** What an agent of the sample fleet asks its supervisor: to carry out a restore order. */
export const AskMessage = z.object({ ask: z.int(), resource: z.string(), recovery: z.string() });
export type AskMessage = z.infer<typeof AskMessage>;

export const ReplyMessage = z.object({
  reply: z.int(),
  restored: z.object({ outcome: z.enum(RESTORE_OUTCOMES), reason: z.string().exactOptional() }),
});
export type ReplyMessage = z.infer<typeof ReplyMessage>;
