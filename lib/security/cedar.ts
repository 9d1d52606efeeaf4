import './wasm-flags.ts';

/** The policy engine, by the one door that prepares for it. */
export {
  isAuthorized,
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  type StatefulAuthorizationCall,
  schemaToJson,
  statefulIsAuthorized,
  type ValidationError,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
