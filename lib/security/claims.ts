import * as z from 'zod';
import { Id } from '../schemas/common.ts';
import { type Caller, ROLES } from './caller.ts';

/** How far the issuer's clock may be from ours, seconds. */
export const CLOCK_SKEW_S = 5;

const Roles = z.array(z.enum(ROLES)).min(1);

/** What a verified token must say; everything else in it is ignored. */
const TokenClaims = z.object({
  sub: Id,
  exp: z.number().positive(),
  roles: Roles,
  tenant: Id.optional(),
  labscape: Id.optional(),
});

/** What the authoriser hands to the handlers: API Gateway passes flat values only. */
const AuthoriserContext = z.object({
  principal: Id,
  roles: z
    .string()
    .transform((text) => text.split(','))
    .pipe(Roles),
  tenant: Id.optional(),
  labscape: Id.optional(),
  expiresAtS: z.coerce.number().positive(),
});

interface Identity {
  readonly principal: string;
  readonly roles: z.infer<typeof Roles>;
  readonly tenant?: string | undefined;
  readonly labscape?: string | undefined;
  readonly expiresAtS: number;
}

/** A caller, or in words why these claims make none. */
export type ClaimsOutcome =
  | { readonly caller: Caller }
  | { readonly caller: undefined; readonly reason: string };

const refusal = (reason: string): ClaimsOutcome => ({ caller: undefined, reason });

/** A tenant or agent without its scope could be anybody's, so it is nobody's. Scopes without their role are dropped. */
function toCaller(identity: Identity): ClaimsOutcome {
  const roles = [...new Set(identity.roles)];
  const { tenant, labscape } = identity;
  if (roles.includes('tenant') && tenant === undefined) return refusal('role tenant needs the claim tenant');
  if (roles.includes('agent') && labscape === undefined)
    return refusal('role agent needs the claim labscape');
  return {
    caller: {
      principal: identity.principal,
      roles,
      ...(roles.includes('tenant') && tenant !== undefined ? { tenant } : {}),
      ...(roles.includes('agent') && labscape !== undefined ? { labscape } : {}),
      expiresAtS: Math.floor(identity.expiresAtS),
    },
  };
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'invalid claims' : `claim ${issue.path.join('.')}: ${issue.message}`;
}

/** Claims of a token whose signature, issuer, audience and times have been verified. */
export function callerFromClaims(claims: unknown): ClaimsOutcome {
  const parsed = TokenClaims.safeParse(claims);
  if (!parsed.success) return refusal(firstIssue(parsed.error));
  return toCaller({ ...parsed.data, principal: parsed.data.sub, expiresAtS: parsed.data.exp });
}

export type CallerContext = Readonly<Record<string, string | number>>;

export function callerToContext(caller: Caller): CallerContext {
  return {
    principal: caller.principal,
    roles: caller.roles.join(','),
    ...(caller.tenant === undefined ? {} : { tenant: caller.tenant }),
    ...(caller.labscape === undefined ? {} : { labscape: caller.labscape }),
    expiresAtS: caller.expiresAtS,
  };
}

/** Undefined when the authoriser did not run or wrote something else: then there is no caller. */
export function callerFromContext(context: unknown): Caller | undefined {
  const parsed = AuthoriserContext.safeParse(context);
  return parsed.success ? toCaller(parsed.data).caller : undefined;
}
