import { ROUTES, type Route } from '../lib/http/routes.ts';
import { policyFaults } from '../lib/security/policy-check.ts';
import { readPolicies } from '../lib/security/policy-files.ts';

const PUBLIC = 'public';

/** Throws what is wrong with the policies that are about to be deployed, and with routes that nobody decides on. */
export function checkPolicies(routes: readonly Route[] = ROUTES, folder?: string): void {
  const unguarded = routes.filter(({ action }) => action === '');
  const asked = new Set(routes.map(({ action }) => action).filter((action) => action !== PUBLIC));
  const faults = [
    ...unguarded.map(({ operation }) => `route ${operation} has no action`),
    ...policyFaults(readPolicies(folder), asked),
  ];
  if (faults.length > 0) throw new Error(`the policies are not valid:\n  ${faults.join('\n  ')}`);
}
