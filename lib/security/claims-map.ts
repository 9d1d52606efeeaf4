import * as z from 'zod';
import { ROLES } from './caller.ts';

/** A claim by its exact name, or by the names on the way to it. */
const ClaimPath = z.union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(5)]);

/** Where an issuer's tokens say who somebody is; what is not said here is as our own issuer says it. */
export const ClaimsMap = z.strictObject({
  /** Must hold an id: 1 to 40 characters of a-z, 0-9 and -. */
  principal: ClaimPath.default('sub'),
  /** A list, or names in one text. */
  roles: ClaimPath.default('roles'),
  tenant: ClaimPath.default('tenant'),
  labscape: ClaimPath.default('labscape'),
  /** What stands before a role among groups that have other purposes, too. */
  rolePrefix: z.string().max(100).default(''),
  /** Names of groups, and the role that each means. */
  roleValues: z.record(z.string().min(1).max(200), z.enum(ROLES)).default({}),
});
export type ClaimsMap = z.infer<typeof ClaimsMap>;

type Claims = Readonly<Record<string, unknown>>;

function claimAt(claims: Claims, path: string | readonly string[]): unknown {
  let at: unknown = claims;
  for (const name of [path].flat()) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Claims)[name];
  }
  return at;
}

/** Groups that mean no role are passed over: a directory has many. Whoever is left with none is refused. */
function rolesOf(said: unknown, { rolePrefix, roleValues }: ClaimsMap): unknown {
  const names = typeof said === 'string' ? said.split(/[\s,]+/) : said;
  if (!Array.isArray(names)) return undefined;
  return names.flatMap((name: unknown) => {
    if (typeof name !== 'string') return [];
    if (Object.hasOwn(roleValues, name)) return [roleValues[name]];
    const role = ROLES.find((each) => rolePrefix !== '' && name === `${rolePrefix}${each}`);
    return role === undefined ? [] : [role];
  });
}

/** The claims of a verified token in our own words; without a prefix and values, roles are taken as they stand. */
export function mapClaims(claims: Claims, map: ClaimsMap): Claims {
  const roles = claimAt(claims, map.roles);
  const asTheyStand = map.rolePrefix === '' && Object.keys(map.roleValues).length === 0;
  return {
    exp: claims['exp'],
    sub: claimAt(claims, map.principal),
    roles: asTheyStand ? roles : rolesOf(roles, map),
    tenant: claimAt(claims, map.tenant),
    labscape: claimAt(claims, map.labscape),
  };
}
