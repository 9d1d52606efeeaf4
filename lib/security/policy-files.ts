import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Authorizer, cedarAuthorizer, type PolicyText } from './authorizer.ts';

/**
 * The folder with policies.cedar and schema.cedarschema. Bundles have no source folder beside them
 * (`import.meta` is empty in CommonJS), so whoever deploys them sets POLICY_DIR.
 */
function policyFolder(): string {
  const folder = process.env['POLICY_DIR'] ?? '';
  if (folder !== '') return folder;
  const here: string | undefined = import.meta.dirname;
  if (here === undefined) throw new Error('POLICY_DIR must name the folder with policies.cedar');
  return join(here, 'policy');
}

/** The Cedar policies and their schema as text. Throws where they cannot be read. */
export function readPolicies(folder: string = policyFolder()): PolicyText {
  return {
    policies: readFileSync(join(folder, 'policies.cedar'), 'utf8'),
    schema: readFileSync(join(folder, 'schema.cedarschema'), 'utf8'),
  };
}

let loaded: Authorizer | undefined;

/** One per process: parsing takes longer than a thousand decisions. */
export function processAuthorizer(): Authorizer {
  loaded ??= cedarAuthorizer(readPolicies());
  return loaded;
}
