export const ROLES = ['admin', 'operator', 'tenant', 'agent'] as const;
export type Role = (typeof ROLES)[number];

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
