import * as z from 'zod';

const Rate = z.strictObject({ perSecond: z.number().positive(), burst: z.number().min(1) });

/** Of each warm instance; see docs/security.md for what that comes to with several. */
const RequestLimits = z.strictObject({ principal: Rate, tenant: Rate });
export type RequestLimits = z.infer<typeof RequestLimits>;

/** From the function's environment; throws what is wrong with it. */
export const limitsFrom = (text: string): RequestLimits => RequestLimits.parse(JSON.parse(text));

/** What a throttled principal, tenant or labscape may still do. */
export const THROTTLED = { perSecond: 1, burst: 5 } as const;
