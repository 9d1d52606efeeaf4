/** What a token may say. */
export const ROLES = ['admin', 'operator', 'tenant', 'agent'] as const;
export type TokenRole = (typeof ROLES)[number];
/** Only signed requests have the last one: no issuer can give it to anybody. */
export const ALL_ROLES = [...ROLES, 'break-glass'] as const;
export type Role = (typeof ALL_ROLES)[number];

/** An authenticated principal as the authoriser hands it to a handler. */
export interface Caller {
  readonly principal: string;
  readonly roles: readonly Role[];
  /** Set for tenants: the only tenant it may see or change. */
  readonly tenant?: string;
  /** Set for agents: the labscape it speaks for. */
  readonly labscape?: string;
  /** Token expiry, epoch seconds. */
  readonly expiresAtS: number;
}
