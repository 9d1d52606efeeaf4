import * as z from 'zod';

/** RFC 9457 problem+json. `errors` names the fields and what is wrong with each. */
export const Problem = z.object({
  type: z.string().meta({ description: 'urn:labscape:problem:CODE' }),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  requestId: z.string(),
  errors: z.array(z.object({ field: z.string(), reason: z.string() })).optional(),
  reasons: z.record(z.string(), z.unknown()).optional(),
});
export type Problem = z.infer<typeof Problem>;
