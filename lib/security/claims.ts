import * as z from 'zod';
import { Id, PrincipalId } from '../schemas/common.ts';
import { ALL_ROLES, type Caller, ROLES, type Role } from './caller.ts';

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
  principal: PrincipalId,
  roles: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(ALL_ROLES)).min(1)),
  tenant: Id.optional(),
  labscape: Id.optional(),
  expiresAtS: z.coerce.number().positive(),
});

interface Identity {
  readonly principal: string;
  readonly roles: readonly Role[];
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

/** What a signature covered, for the handler to hold the body against. */
export interface SignatureContext {
  readonly keyId: string;
  /** The `content-digest` that it covers; absent if it covers none. */
  readonly digest?: string | undefined;
}

const SignedContext = z.object({ keyId: z.string().min(1), digest: z.string().optional() });

/** Undefined where the authoriser of signed requests did not run. */
export function signatureFromContext(context: unknown): SignatureContext | undefined {
  const parsed = SignedContext.safeParse(context);
  return parsed.success ? parsed.data : undefined;
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
