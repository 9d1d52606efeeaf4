import { BREAK_GLASS_SCOPE } from '../schemas/signature.ts';

/**
 * Whether a principal is a break-glass key. Nothing automatic may stand in its way: no rate limit, no response to a
 * threat, no revocation but by the stage's configuration.
 */
export const isBreakGlass = (principal: string): boolean => principal.startsWith(`${BREAK_GLASS_SCOPE}.`);
