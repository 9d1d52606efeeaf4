import { type PolicyJson, schemaToJson, validate } from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, test } from '@jest/globals';
import { ROUTES } from '../../../lib/http/routes.ts';
import { cedarAuthorizer, ownTarget, type Target } from '../../../lib/security/authorizer.ts';
import { ALL_ROLES, type Caller, ROLES, type Role } from '../../../lib/security/caller.ts';
import { explainAccess } from '../../../lib/security/explain-access.ts';
import { compilePolicies, policyFaults } from '../../../lib/security/policy-check.ts';
import { processAuthorizer, readPolicies } from '../../../lib/security/policy-files.ts';

const TEXT = readPolicies();
const authorizer = cedarAuthorizer(compilePolicies(TEXT.policies));

const callerOf = (role: Role): Caller => ({
  principal: `a-${role}`,
  roles: [role],
  ...(role === 'tenant' ? { tenant: 'acme' } : {}),
  ...(role === 'agent' ? { labscape: 'north' } : {}),
  expiresAtS: 0,
});

const TARGETS = {
  own: { tenant: 'acme', labscape: 'north', resource: 'north-1' },
  foreign: { tenant: 'zeta', labscape: 'south', resource: 'south-1' },
  fleet: {},
} as const satisfies Record<string, Target>;

const EVERYWHERE = ['own', 'foreign', 'fleet'];
const OWN = ['own'];

/** The whole policy: who may do an action where. A role that is not named may not do it anywhere; break-glass may all. */
const TABLE: Readonly<Record<string, Readonly<Partial<Record<Role, readonly string[]>>>>> = {
  readFleet: { admin: EVERYWHERE, operator: EVERYWHERE },
  readResource: { admin: EVERYWHERE, operator: EVERYWHERE, agent: OWN },
  manageResources: { admin: EVERYWHERE, operator: EVERYWHERE },
  operateResources: { admin: EVERYWHERE, operator: EVERYWHERE },
  overrideRules: { admin: EVERYWHERE, operator: EVERYWHERE },
  rebalance: { admin: EVERYWHERE, operator: EVERYWHERE },
  manageLabscapes: { admin: EVERYWHERE },
  managePrincipals: { admin: EVERYWHERE },
  manageBackups: { admin: EVERYWHERE },
  readIncidents: { admin: EVERYWHERE, operator: EVERYWHERE },
  manageIncidents: { admin: EVERYWHERE },
  readAudit: { admin: EVERYWHERE, operator: EVERYWHERE },
  allocate: { admin: EVERYWHERE, operator: EVERYWHERE, tenant: OWN },
  readAllocations: { admin: EVERYWHERE, operator: EVERYWHERE, tenant: OWN },
  readTenant: { admin: EVERYWHERE, operator: EVERYWHERE, tenant: OWN },
  manageTenants: { admin: EVERYWHERE, operator: EVERYWHERE },
  listTenants: { admin: EVERYWHERE },
  beat: { admin: EVERYWHERE, agent: OWN },
  report: { admin: EVERYWHERE, agent: OWN },
  readAssignments: { admin: EVERYWHERE, operator: EVERYWHERE, agent: OWN },
};

const isExpected = (action: string, role: Role, where: string): boolean =>
  role === 'break-glass' || TABLE[action]?.[role]?.includes(where) === true;

describe('the policies', () => {
  test('are valid under the schema, without a warning', () => {
    const answer = validate({ schema: TEXT.schema, policies: { staticPolicies: TEXT.policies } });
    expect(answer).toEqual({
      type: 'success',
      validationErrors: [],
      validationWarnings: [],
      otherWarnings: [],
    });
  });

  const asked = new Set(Object.keys(TABLE));

  test('have no fault that would stop a deployment', () => {
    expect(policyFaults(TEXT, asked)).toEqual([]);
  });

  test.each([
    ['an action that does not exist', 'Action::"readFleet"', 'Action::"readFleets"', 'readFleets'],
    ['an attribute that does not exist', 'resource.tenant ==', 'resource.tenants ==', 'tenants'],
    ['a role that does not exist', 'Role::"operator"', 'Role::"operators"', 'operators'],
    [
      'a word that Cedar does not know',
      'permit (principal in Role::"admin"',
      'allow (principal in Role::"admin"',
      'allow',
    ],
    ['no name', '@id("tenant-own")', '', 'no @id'],
    ["another's name", '@id("tenant-own")', '@id("operator-fleet")', 'two policies'],
    ['an attribute that may be missing', 'principal has tenant && ', '', 'tenant'],
  ])('with %s would not be deployed', (_, from, to, said) => {
    const policies = TEXT.policies.replace(from, to);
    expect(policies).not.toBe(TEXT.policies);
    expect(policyFaults({ ...TEXT, policies }, asked).join()).toContain(said);
  });

  test('nor with a schema that lacks what routes ask for, or has what none asks for', () => {
    const schema = TEXT.schema.replace('readAudit,', 'readAudit, dance,');
    expect(policyFaults({ ...TEXT, schema }, asked)).toEqual(['no route asks for dance']);
    expect(policyFaults(TEXT, new Set([...asked, 'sing']))).toEqual(['no action sing in the schema']);
    expect(policyFaults({ ...TEXT, schema: 'entity' }, asked)).toHaveLength(1);
  });

  test('know the action of every route, and no other', () => {
    const json = schemaToJson(TEXT.schema);
    const known = json.type === 'success' ? Object.keys(json.json['']?.actions ?? {}) : [];
    const used = new Set<string>(ROUTES.map((route) => route.action));
    used.delete('public');
    expect(new Set(known)).toEqual(used);
    expect(new Set(Object.keys(TABLE))).toEqual(used);
  });
});

describe('the decision', () => {
  const rows = Object.keys(TABLE).flatMap((action) =>
    ALL_ROLES.flatMap((role) =>
      (Object.keys(TARGETS) as (keyof typeof TARGETS)[]).map((where) => ({ action, role, where })),
    ),
  );

  test.each(rows)('$role $action $where', ({ action, role, where }) => {
    const expected = isExpected(action, role, where);
    expect(authorizer.decide(callerOf(role), action, TARGETS[where])).toEqual({
      allowed: expected,
      errors: [],
    });
  });

  test('on work that is said to run somewhere already is for admins and operators', () => {
    const allowed = ROLES.filter(
      (role) =>
        authorizer.decide(callerOf(role), 'allocate', { ...TARGETS.own, adoptedOn: 'north-1' }).allowed,
    );
    expect(allowed).toEqual(['admin', 'operator']);
  });

  test('comes with its reason, and is the same with it as without', () => {
    for (const { action, role, where } of rows) {
      const { allowed, decidedBy, rolesThatMay } = explainAccess(
        TEXT,
        callerOf(role),
        action,
        TARGETS[where],
      );
      expect([action, role, where, allowed]).toEqual([action, role, where, isExpected(action, role, where)]);
      expect(decidedBy.length > 0).toBe(allowed);
      expect(rolesThatMay).toContain('admin');
    }
    expect(explainAccess(TEXT, callerOf('tenant'), 'allocate', TARGETS.own)).toEqual({
      ...{ allowed: true, decidedBy: ['tenant-own'], errors: [], onOwn: true },
      rolesThatMay: ['admin', 'operator', 'tenant', 'break-glass'],
    });
    expect(explainAccess(TEXT, callerOf('tenant'), 'allocate', TARGETS.foreign)).toMatchObject({
      ...{ allowed: false, decidedBy: [], onOwn: true },
    });
    expect(explainAccess(TEXT, callerOf('agent'), 'overrideRules', TARGETS.own)).toMatchObject({
      ...{ allowed: false, decidedBy: [], onOwn: false, rolesThatMay: ['admin', 'operator', 'break-glass'] },
    });
    const policies = `${TEXT.policies} @id("closed") forbid (principal, action == Action::"beat", resource);`;
    expect(explainAccess({ ...TEXT, policies }, callerOf('agent'), 'beat', TARGETS.own)).toMatchObject({
      ...{ allowed: false, decidedBy: ['closed'], rolesThatMay: [] },
    });
  });

  test('adds up the rights of several roles', () => {
    const both: Caller = { ...callerOf('tenant'), roles: ['tenant', 'operator'] };
    expect(authorizer.decide(both, 'allocate', TARGETS.foreign).allowed).toBe(true);
    expect(authorizer.decide(both, 'manageLabscapes', {}).allowed).toBe(false);
  });

  test('is no for callers without a role', () => {
    const nobody: Caller = { principal: 'anonymous', roles: [], expiresAtS: 0 };
    for (const action of Object.keys(TABLE))
      expect(authorizer.decide(nobody, action, {}).allowed).toBe(false);
  });

  test('of a tenant or agent without its scope is no even for objects without an owner', () => {
    const { tenant: _, ...unscoped } = callerOf('tenant');
    expect(authorizer.decide(unscoped, 'allocate', { tenant: undefined }).allowed).toBe(false);
    expect(authorizer.decide(unscoped, 'allocate', ownTarget(unscoped)).allowed).toBe(false);
  });

  test('is no when a policy fails to evaluate, even if another one permits', () => {
    const failing = cedarAuthorizer(
      compilePolicies(`@id("all") permit (principal, action, resource);
        @id("locked") forbid (principal, action, resource) when { resource.tenant == "locked" };`),
    );
    const decision = failing.decide(callerOf('admin'), 'allocate', {});
    expect(decision.allowed).toBe(false);
    expect(decision.errors.join()).toMatch(/^locked: .*tenant/);
    expect(failing.decide(callerOf('admin'), 'allocate', { tenant: 'acme' }).allowed).toBe(true);
  });

  test('cannot be had from policies that do not parse', () => {
    expect(() => compilePolicies('permit (')).toThrow('do not parse');
    const permit = { effect: 'permit', principal: { op: 'Any' } } as unknown as PolicyJson;
    expect(() => cedarAuthorizer({ permit })).toThrow('do not parse');
    expect(() => readPolicies('/nowhere')).toThrow();
  });

  test('is loaded once per process', () => {
    expect(processAuthorizer()).toBe(processAuthorizer());
  });
});

describe('a remembered decision', () => {
  const either = <T>(value: T) => [undefined, value];
  /** Small enough to be gone through whole; each part of a request decides in some of them. */
  const requests = ['p', 'q'].flatMap((principal) =>
    (['operator', 'tenant', 'agent'] as const).flatMap((role) =>
      either('acme').flatMap((tenant) =>
        either('north').flatMap((labscape) =>
          ['beat', 'allocate'].flatMap((action) =>
            either('acme').flatMap((targetTenant) =>
              either('north').flatMap((targetLabscape) =>
                either('south-1').map((resource) => ({
                  caller: {
                    principal,
                    roles: [role],
                    ...(tenant === undefined ? {} : { tenant }),
                    ...(labscape === undefined ? {} : { labscape }),
                    expiresAtS: 0,
                  } satisfies Caller,
                  action,
                  target: { tenant: targetTenant, labscape: targetLabscape, resource },
                })),
              ),
            ),
          ),
        ),
      ),
    ),
  );

  test('is what Cedar would say, whatever was asked before', () => {
    // Policies about single principals and objects, so that a key that left one out would be caught.
    const picky = compilePolicies(`${TEXT.policies}
      @id("q") permit (principal == Principal::"q", action == Action::"beat", resource) when { resource has resource };
      @id("s") forbid (principal, action == Action::"allocate", resource == Target::"south-1");`);
    const warm = cedarAuthorizer(picky);
    const told = () => requests.map((r) => warm.decide(r.caller, r.action, r.target));
    const first = told();
    expect(first).toEqual(requests.map((r) => cedarAuthorizer(picky).decide(r.caller, r.action, r.target)));
    expect(told()).toEqual(first);
  });

  test('does not outlast 4,096 others', () => {
    const who = callerOf('tenant');
    for (let i = 0; i < 5000; i += 1) {
      expect(authorizer.decide(who, 'allocate', { tenant: `t-${i}` }).allowed).toBe(false);
    }
    expect(authorizer.decide(who, 'allocate', { tenant: 'acme' }).allowed).toBe(true);
  });
});
