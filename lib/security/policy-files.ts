import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Authorizer, type CompiledPolicies, cedarAuthorizer, type PolicyText } from './authorizer.ts';
import { compilePolicies } from './policy-check.ts';

/** Beside the texts in what is deployed: the same policies as `compilePolicies` gives them. */
export const COMPILED_FILE = 'policies.json';

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

/** Compiled when they were bundled, or now where they stand as sources. */
const compiled = (folder: string): CompiledPolicies => {
  const file = join(folder, COMPILED_FILE);
  if (!existsSync(file)) return compilePolicies(readPolicies(folder).policies);
  return JSON.parse(readFileSync(file, 'utf8')) as CompiledPolicies;
};

let loaded: Authorizer | undefined;

/** One per process: parsing takes longer than a thousand decisions. */
export function processAuthorizer(): Authorizer {
  loaded ??= cedarAuthorizer(compiled(policyFolder()));
  return loaded;
}
